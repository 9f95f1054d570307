"""What only the inline engine does: it runs a stage while it is waited for."""

from farm.engine import ProgressLine, process
from farm.engine.inline import InlineEngine


def test_closing_ends_the_stage_that_runs_and_drops_the_others(maker, monkeypatch):
    ended = []

    def running(work):
        try:
            yield ProgressLine(uri=work.stage.uri, text="still here")
        finally:
            ended.append(work.stage.label)

    monkeypatch.setattr(process, "run", running)
    monkeypatch.setattr(process, "release", lambda: ended.append("the fork server"))
    works = [maker.work("fine"), maker.work("fine")]
    engine = InlineEngine()
    for work in works:
        engine.submit(work)
    assert engine.wait(0) == (ProgressLine(uri=works[0].stage.uri, text="still here"),)
    engine.close()
    assert ended == [works[0].stage.label, "the fork server"]
    assert engine.wait(0) == ()


def test_closing_what_never_ran_is_no_fault(monkeypatch):
    monkeypatch.setattr(process, "release", lambda: None)
    engine = InlineEngine()
    assert engine.wait(0) == ()
    engine.close()
