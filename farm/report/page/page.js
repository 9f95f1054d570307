"use strict";
// Sorts and filters the tables, and brings the figures to life. The page reads without it.
(() => {
  const ASCENDING = "ascending", DESCENDING = "descending", NONE = "none";
  const FILTERS = ["model", "calibration", "algorithm", "device", "verdict"];
  const order = new Intl.Collator("en", { numeric: true });

  // ---- one run's table

  function sortable(section) {
    const body = section.querySelector("table.cells tbody");
    const rows = [...body.rows];
    const heads = [...section.querySelectorAll("table.cells thead th")];
    const state = { head: null, way: NONE };
    const apply = () => {
      const column = heads.indexOf(state.head);
      const sorted = state.way === NONE ? rows : [...rows].sort((a, b) => compare(a, b, column, state));
      body.append(...sorted);
      for (const head of heads) head.setAttribute("aria-sort", head === state.head ? state.way : NONE);
      setApart(sorted, state.way === NONE);
    };
    for (const head of heads) {
      head.setAttribute("aria-sort", NONE);
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { [NONE]: ASCENDING, [ASCENDING]: DESCENDING, [DESCENDING]: NONE };
        state.way = head === state.head ? next[state.way] : ASCENDING;
        state.head = head;
        apply();
        tell(section, state);
      });
    }
    apply();
    return state;
  }

  // What is not there goes last, whichever the way.
  function compare(a, b, column, state) {
    const [first, second] = [a, b].map((row) => row.cells[column].dataset.sort);
    if (first === undefined || second === undefined) return (first === undefined) - (second === undefined);
    const numbers = state.head.classList.contains("number");
    const way = numbers ? Number(first) - Number(second) : order.compare(first, second);
    return state.way === DESCENDING ? -way : way;
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

  function filtered(section, state) {
    const form = section.querySelector("form.filters[role=search]");
    const rows = [...section.querySelectorAll("table.cells tbody tr")];
    const texts = new Map(rows.map((row) => [row, `${row.dataset.cell} ${row.textContent}`.toLowerCase()]));
    const apply = () => {
      const words = form.elements.namedItem("words").value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = FILTERS.map((name) => [name, chosen(form, name)]).filter(([, word]) => word !== undefined);
      for (const row of rows) {
        row.hidden =
          !wanted.every(([name, word]) => row.dataset[name] === word) ||
          !words.every((word) => texts.get(row).includes(word));
      }
      tell(section, state);
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    apply();
  }

  function tell(section, state) {
    const rows = [...section.querySelectorAll("table.cells tbody tr")];
    const seen = rows.filter((row) => !row.hidden).length;
    const sorted = state.way === NONE ? "in the grid's order" : `sorted by ${nameOf(state.head)}, ${state.way}`;
    section.querySelector(".count").textContent = `${seen} of ${rows.length} cells, ${sorted}`;
  }

  function nameOf(head) {
    return [...head.querySelectorAll("span")].map((each) => each.textContent).join(" ");
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
    const modelOf = (row) => names.get(row.model) ?? names.get(row.group) ?? names.get(row.cell);
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
    filtered(section, sortable(section));
    alive(section);
  }
})();
