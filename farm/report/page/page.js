"use strict";
// Sorts and filters the tables, and brings the figures to life. The page reads without it.
(() => {
  const ASCENDING = "ascending", DESCENDING = "descending", NONE = "none";
  const FILTERS = ["model", "calibration", "algorithm", "device", "verdict"];
  const order = new Intl.Collator("en", { numeric: true });

  // ---- one run's table

  const DRAWN = 500; // rows at once; more come as they are scrolled to

  // All rows of a table, those that are drawn and those that wait for their turn.
  function rowsOf(section) {
    const waiting = section.querySelector("template.more");
    const rest = section.querySelector(".rest");
    if (rest) rest.remove();
    const drawn = [...section.querySelector("table.cells tbody").rows];
    return waiting ? [...drawn, ...waiting.content.querySelectorAll("tbody tr")] : drawn;
  }

  // What is shown of a table: its rows in an order, those that a filter leaves.
  function listing(section) {
    const body = section.querySelector("table.cells tbody");
    const end = document.createElement("p");
    end.className = "end";
    section.querySelector("table.cells").after(end);
    const all = rowsOf(section);
    const shown = { all, ordered: all, seen: all, head: null, way: NONE, wanted: () => true };
    const more = (count) => {
      body.append(...shown.seen.slice(body.rows.length, body.rows.length + count));
      end.hidden = body.rows.length === shown.seen.length;
    };
    shown.draw = () => {
      shown.seen = shown.ordered.filter(shown.wanted);
      setApart(shown.seen, shown.way === NONE);
      body.replaceChildren();
      more(DRAWN);
      tell(section, shown);
    };
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      more(DRAWN);
      near.unobserve(end); // what is still in sight is told anew
      near.observe(end);
    }, { root: end.parentElement, rootMargin: "600px" });
    near.observe(end);
    window.addEventListener("beforeprint", () => more(Infinity));
    return shown;
  }

  function sortable(section, shown) {
    const heads = [...section.querySelectorAll("table.cells thead th")];
    const sort = () => {
      shown.ordered = shown.way === NONE ? shown.all : sorted(shown.all, heads.indexOf(shown.head), shown);
      for (const head of heads) head.setAttribute("aria-sort", head === shown.head ? shown.way : NONE);
      shown.draw();
    };
    for (const head of heads) {
      head.setAttribute("aria-sort", NONE);
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { [NONE]: ASCENDING, [ASCENDING]: DESCENDING, [DESCENDING]: NONE };
        shown.way = head === shown.head ? next[shown.way] : ASCENDING;
        shown.head = head;
        sort();
      });
    }
  }

  // What is not there goes last, whichever the way.
  function sorted(rows, column, { head, way }) {
    const numbers = head.classList.contains("number");
    const keyed = rows.map((row) => [row.cells[column].dataset.sort, row]);
    const there = keyed.filter(([key]) => key !== undefined);
    if (numbers) for (const one of there) one[0] = Number(one[0]);
    const compare = numbers ? (a, b) => a - b : order.compare;
    there.sort(way === DESCENDING ? ([a], [b]) => compare(b, a) : ([a], [b]) => compare(a, b));
    return [...there, ...keyed.filter(([key]) => key === undefined)].map(([, row]) => row);
  }

  // In the grid's order, a line between models.
  function setApart(rows, grouped) {
    rows.forEach((row, at) => {
      row.classList.toggle("apart", grouped && at > 0 && rows[at - 1].dataset.model !== row.dataset.model);
    });
  }

  function chosen(form, name) {
    const select = form.elements.namedItem(name);
    return select ? select.selectedOptions[0].dataset.word : undefined;
  }

  function filtered(section, shown) {
    const form = section.querySelector("form.filters[role=search]");
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, `${row.dataset.cell} ${row.textContent}`.toLowerCase());
      return texts.get(row);
    };
    const apply = () => {
      const words = form.elements.namedItem("words").value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = FILTERS.map((name) => [name, chosen(form, name)]).filter(([, word]) => word !== undefined);
      shown.wanted = (row) =>
        wanted.every(([name, word]) => row.dataset[name] === word) && words.every((word) => textOf(row).includes(word));
      shown.draw();
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    form.querySelector("button.csv").addEventListener("click", () => save(section, shown));
    apply();
  }

  function tell(section, { all, seen, head, way }) {
    const how = way === NONE ? "in the grid's order" : `sorted by ${nameOf(head)}, ${way}`;
    section.querySelector(".count").textContent = `${seen.length} of ${all.length} cells, ${how}`;
  }

  function nameOf(head) {
    return [...head.querySelectorAll("span")].map((each) => each.textContent).join(" ");
  }

  // ---- what is shown, as a file

  const FORMULA = /^ *[=+\-@\t\n\uff1d\uff0b\uff0d\uff20][^]/; // what a spreadsheet would run, as farm.shown has it
  const INTERVAL = /^-?[0-9.]+ to -?[0-9.]+$/;
  const harmless = (text) => (FORMULA.test(text) ? `'${text}` : text);

  // Of a place its text and what stands beside it in small print; numbers as programs read them.
  function placed(cell) {
    const note = cell.querySelector(".note");
    const text = [...cell.childNodes].filter((node) => node !== note).map((node) => node.textContent).join("").trim();
    if (text === "\u2013") return ["", ""];
    const read = (number) => number.replaceAll("\u2212", "-").replaceAll(",", "");
    const beside = note ? read(note.textContent) : "";
    return [cell.classList.contains("number") ? read(text) : harmless(text), INTERVAL.test(beside) ? beside : harmless(beside)];
  }

  function csv(heads, rows) {
    const lines = rows.map((row) => [...row.cells].map(placed));
    const noted = heads.map((_, at) => lines.some((line) => line[at][1]));
    const quoted = (text) => (/[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const joined = (pairs) => pairs.flatMap((pair, at) => (noted[at] ? pair : [pair[0]])).map(quoted).join(",");
    const titles = heads.map((head) => [harmless(nameOf(head)), harmless(`${nameOf(head)}, interval or note`)]);
    return [titles, ...lines].map((line) => `${joined(line)}\n`).join("");
  }

  function save(section, shown) {
    const text = csv([...section.querySelectorAll("table.cells thead th")], shown.seen);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = `${section.querySelector("h2").textContent.replace(/[^\w.-]+/g, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ---- figures

  // ast: Vega's expressions are interpreted, so that the page's policy needs no 'unsafe-eval'. Styles are the page's.
  const EMBED = {
    mode: "vega-lite", ast: true, actions: false, renderer: "svg", defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  // Every list of rows in a specification.
  function tables(value, name = "") {
    if (Array.isArray(value)) return name === "values" && value.some(isObject) ? [value] : value.flatMap((one) => tables(one));
    if (!isObject(value)) return [];
    return Object.entries(value).flatMap(([key, inner]) => tables(inner, name === "datasets" ? "values" : key));
  }

  // A specification with the rows of one model, and its axes and legends without what only the other rows name.
  // Rows that know no model stay.
  function narrowed(spec, model, modelOf) {
    const keep = (row) => [undefined, model].includes(modelOf(row));
    const words = (rows) => rows.flatMap((row) => Object.values(row)).filter((value) => typeof value === "string");
    const rows = tables(spec).flat();
    const kept = new Set(words(rows.filter(keep)));
    const gone = new Set(words(rows.filter((row) => !keep(row))).filter((word) => !kept.has(word)));
    const walk = (value, name = "") => {
      if (Array.isArray(value)) {
        if (name === "values" && value.some(isObject)) return value.filter(keep);
        return name === "domain" || name === "sort" ? value.filter((word) => !gone.has(word)) : value.map((one) => walk(one));
      }
      if (!isObject(value)) return value;
      const inner = Object.entries(value).map(([key, one]) => [key, walk(one, name === "datasets" ? "values" : key)]);
      const result = Object.fromEntries(inner);
      if (Array.isArray(value.domain) && Array.isArray(value.range) && value.domain.length === value.range.length) {
        result.range = value.range.filter((_, at) => !gone.has(value.domain[at])); // a model keeps its colour
      }
      return result;
    };
    return walk(spec);
  }

  // What is wider than its place can be moved by keys, too.
  function reachable(box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  function lively(figure, modelOf) {
    const spec = JSON.parse(figure.querySelector("script.spec").textContent);
    const chart = figure.querySelector(".chart");
    const title = figure.querySelector("h4").textContent;
    const alt = chart.getAttribute("aria-label");
    const models = new Set(tables(spec).flat().map(modelOf));
    models.delete(undefined);
    let view = null, asked = 0;
    return async (model) => {
      const mine = ++asked;
      if (view && !models.size) return;
      const empty = model !== undefined && models.size > 0 && !models.has(model);
      figure.querySelector(".empty").hidden = !empty;
      chart.hidden = empty;
      figure.classList.add("live");
      const whole = model === undefined || !models.size;
      const description = whole ? alt : `${title}: ${model} alone`;
      chart.setAttribute("aria-label", description);
      const shown = { ...(whole ? spec : narrowed(spec, model, modelOf)), description, background: null };
      if (view) view.finalize();
      const box = document.createElement("div"); // of its own, as another model may be chosen meanwhile
      chart.replaceChildren(box);
      const made = empty ? { finalize: () => undefined } : await vegaEmbed(box, shown, EMBED);
      if (mine !== asked) made.finalize();
      else view = made;
      reachable(chart.parentElement);
    };
  }

  // A figure is drawn when it comes near, and again for another model; a page of pictures has nothing to draw with.
  function alive(section) {
    if (!window.vegaEmbed) return;
    const form = section.querySelector("form.models");
    const model = () => (form ? chosen(form, "model") : undefined);
    const names = new Map(form ? Object.entries(JSON.parse(section.querySelector("script.names").textContent)) : []);
    const modelOf = (row) => names.get(row.model) ?? names.get(row.group);
    const drawn = new Map();
    const draw = (figure) => {
      if (!drawn.has(figure)) drawn.set(figure, lively(figure, modelOf));
      drawn.get(figure)(model()).catch((error) => {
        figure.classList.remove("live");
        figure.querySelector(".chart").hidden = true;
        console.error(figure.id, error);
      });
    };
    const near = new IntersectionObserver(
      (entries) => {
        for (const entry of entries.filter((each) => each.isIntersecting)) {
          near.unobserve(entry.target);
          draw(entry.target);
        }
      },
      { rootMargin: "400px" },
    );
    for (const figure of section.querySelectorAll("figure")) near.observe(figure);
    if (!form) return;
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => [...drawn.keys()].forEach(draw));
  }

  for (const section of document.querySelectorAll("section.run")) {
    const shown = listing(section);
    sortable(section, shown);
    filtered(section, shown);
    alive(section);
  }
})();
