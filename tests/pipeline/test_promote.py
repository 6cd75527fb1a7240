# ruff: noqa: F811
"""The gate on real bundles and a real registry, SQLite and PostgreSQL: who becomes champion, who not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promoting import (  # noqa: F401
    ALSO_CAR,
    CAR,
    NOT_CAR,
    SEEN_CAR,
    Export,
    aliases,
    any_store,
    bundles,
    export,
    pictures,
    plan,
    postgres_server,
    postgres_store,
    project,
    quick_commits,
    sqlite_file,
    sqlite_store,
    verdicts,
)
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import StaleError, TrackingError
from roadworthy.pipeline.promote import promote
from roadworthy.tracking import fields, handover, history, registry, store
from roadworthy.tracking.runs import RunLog


def test_the_first_champion_must_reach_the_floors(project: Path, export: Export) -> None:
    """Protects the road from a first model that merely exists."""
    export(NOT_CAR)
    decision = promote(plan())
    assert decision.decision == "refused"
    assert "floors: accuracy 0.2500 (accuracy >= 0.5)" in decision.reason
    assert aliases() == {"challenger": 1}
    export(CAR)
    decision = promote(plan(floors={"accuracy": 0.7, "balanced_accuracy": 0.5}))
    assert decision.decision == "promoted"
    assert (decision.from_version, decision.to_version) == (None, 2)
    assert decision.metrics["challenger/accuracy"] == 0.75
    assert aliases() == {"champion": 2}
    assert history.read("car")[-1] == decision


def test_a_better_challenger_takes_over(project: Path, export: Export) -> None:
    """Protects the point of it all, and rollback, which needs `previous`."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    decision = promote(plan())
    assert decision.decision == "promoted"
    assert (decision.from_version, decision.to_version) == (1, 2)
    assert aliases() == {"champion": 2, "previous": 1}
    better = {rule["rule"]: rule for rule in decision.rules}["better"]
    assert better["passed"] and better["figure"].startswith("+0.5000 [+0.")


@pytest.mark.parametrize("name", [NOT_CAR, ALSO_CAR])
def test_a_worse_one_and_a_tie_keep_the_champion(project: Path, export: Export, name: str) -> None:
    """Protects the champion from `>=`: noise alone would otherwise change what is served."""
    export(CAR)
    promote(plan())
    export(name)
    decision = promote(plan())
    assert decision.decision == "refused"
    assert [rule["rule"] for rule in decision.rules if not rule["passed"]] == ["better"]
    assert aliases() == {"champion": 1, "challenger": 2}
    assert verdicts() == ["promoted", "refused"]


def test_the_champion_again_is_no_news(project: Path, export: Export) -> None:
    """Protects registry and history from the nightly run on unchanged data."""
    export(CAR)
    promote(plan())
    assert promote(plan()).decision == "unchanged"
    assert verdicts() == ["promoted"]
    assert len(registry.versions("car")) == 1
    assert aliases() == {"champion": 1}


def test_stored_scores_are_not_believed(project: Path, export: Export) -> None:
    """Protects against a bundle that claims 0.9, as these do, and is right in 0.25."""
    folder = export(NOT_CAR)
    assert bundle_format.read_spec(folder).metrics["accuracy"] == 0.9
    assert promote(plan(floors={"accuracy": 0.8})).decision == "refused"


def test_a_model_that_saw_a_test_image_is_refused(project: Path, export: Export) -> None:
    """Protects the figures from knowing the answers."""
    export(SEEN_CAR)
    decision = promote(plan())
    assert decision.decision == "refused"
    assert "unseen: car/1: 1 (none of either)" in decision.reason


def test_a_champion_that_saw_a_test_image_stops_the_comparison(
    project: Path, export: Export
) -> None:
    """Protects against a challenger that looks worse only because the champion knows the answers."""
    export(SEEN_CAR)
    promote(plan(), force="for this test")
    export(NOT_CAR)
    assert "unseen: car/2: 0, car/1: 1" in promote(plan()).reason


def test_changed_rules_are_committed_first(project: Path, export: Export) -> None:
    """Protects the history: whoever looks back finds the rules that judged."""
    export(CAR)
    rules = plan()
    path = project / "params.yaml"
    path.write_text(path.read_text() + "  # looser\n")
    assert "lineage: not committed now: params.yaml" in promote(rules).reason


def test_the_rules_are_those_of_today(project: Path, export: Export) -> None:
    """Protects against an older plan, looser or stricter than what is committed."""
    export(CAR)
    older = plan()
    plan(margin=0.3)
    with pytest.raises(StaleError, match="dvc repro plan"):
        promote(older)
    assert "champion" not in aliases()


def test_data_that_failed_after_the_last_good_verdict_count(project: Path, export: Export) -> None:
    """Protects against the verdict of yesterday, which stays where it is when today's is bad."""
    export(CAR)
    (project / "artifacts/car/refused").mkdir()
    (project / "artifacts/car/refused/verdict.json").write_text('{"passed": false}')
    assert "data: failed (passed)" in promote(plan()).reason


def test_force_is_recorded_and_marks_the_version(project: Path, export: Export) -> None:
    """Protects the next reader: who set the rules aside, against what, and why."""
    export(CAR)
    promote(plan())
    export(NOT_CAR)
    decision = promote(plan(), force="the other one sees cars everywhere")
    assert decision.decision == "forced"
    assert decision.who == fields.user()
    assert decision.forced == "the other one sees cars everywhere"
    assert "against better" in decision.reason
    assert aliases() == {"champion": 2, "previous": 1}
    tags = store.client().get_model_version("car", "2").tags
    assert "sees cars everywhere" in tags[registry.FORCED]


def test_what_was_rolled_back_does_not_come_back_by_itself(project: Path, export: Export) -> None:
    """Protects a person's decision from the nightly run."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    promote(plan())
    handover.roll_back("car", reason="it saw cars in every cloud")
    decision = promote(plan())
    assert decision.decision == "refused"
    assert "it saw cars in every cloud" in decision.reason
    assert aliases() == {"champion": 1, "challenger": 2}
    assert promote(plan(), force="mended").decision == "forced"


def test_the_model_of_a_run_can_be_judged(
    project: Path, export: Export, bundles: dict[str, Path]
) -> None:
    """Protects `--run`: the winner of a search is promoted without being exported again."""
    export(NOT_CAR)
    promote(plan(floors={}))
    origin = Lineage(params_hash="a", git_commit="c", git_dirty=False, data_version="d")
    with RunLog.start("car", params={}, lineage=origin, sample_every=0) as run:
        run.bundle(bundles[CAR])
    decision = promote(plan(), run.run_id)
    assert decision.decision == "promoted"
    champion = registry.champion("car")
    assert champion is not None and champion.run_id == run.run_id
    with pytest.raises(TrackingError, match="cannot be read"):
        promote(plan(), "0" * 32)
    with RunLog.start("police", params={}, lineage=origin, sample_every=0) as other:
        other.bundle(bundles[ALSO_CAR])
    with pytest.raises(TrackingError, match="is not one of car"):
        promote(plan(), other.run_id)


def test_a_fresh_store_gets_the_run_from_the_files(project: Path, export: Export) -> None:
    """Protects promotion after `dvc pull`, where this store never saw the training."""
    export(CAR)
    promote(plan())
    champion = registry.champion("car")
    assert champion is not None
    run = store.client().get_run(champion.run_id)
    assert run.data.tags[fields.RESTORED] == "true"
    assert run.data.metrics["train/loss"] == 0.4


def test_the_decision_can_be_read_without_mlflow(project: Path, export: Export) -> None:
    """Protects people, pull requests and CI, who look into `artifacts/TASK/promote`."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    decision = promote(plan())
    folder = project / "artifacts/car/promote"
    assert json.loads((folder / "decision.json").read_text()) == decision.as_dict()
    text = (folder / "decision.md").read_text()
    assert "# car: promoted" in text
    assert "| pass | better | +0.5000" in text
    page = (folder / "decision.html").read_text()
    for words in ("Only car/2 gets right: 30 images", "brightness low", "data:image/jpeg"):
        assert words in page


PROMOTE = """
import sys
from pathlib import Path
from roadworthy.params import load_plan
from roadworthy.pipeline import promote
drive = promote.drive

def together(*arguments):
    # Both have looked at the champion before either of them becomes it.
    found = drive(*arguments)
    Path(sys.argv[1]).touch()
    while not Path(sys.argv[2]).exists():
        pass
    return found

promote.drive = together
print(promote.promote(load_plan(Path("plan.yaml")), sys.argv[3]).decision)
"""


def test_of_two_at_once_one_wins_and_the_other_is_judged_again(
    project: Path, export: Export, bundles: dict[str, Path]
) -> None:
    """Protects the champion of a second from being replaced by somebody who never met it."""
    export(NOT_CAR)
    promote(plan(floors={}))
    (project / "plan.yaml").write_text(json.dumps(plan().as_dict()))
    origin = Lineage(params_hash="a", git_commit="c", git_dirty=False, data_version="d")
    runs = []
    for name in (CAR, ALSO_CAR):
        with RunLog.start("car", params={}, lineage=origin, sample_every=0) as run:
            run.bundle(bundles[name])
        runs.append(run.run_id)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTE, mine, others, run],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mine, others, run in (("one", "two", runs[0]), ("two", "one", runs[1]))
    ]
    said = [process.communicate(timeout=180) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sorted(out.split()[-1] for out, _ in said) == ["promoted", "refused"]
    assert "judging again" in said[0][1] + said[1][1]
    assert verdicts() == ["promoted", "promoted", "refused"]
    assert aliases()["previous"] == 1
    refused = history.read("car")[-1]
    assert refused.from_version == aliases()["champion"]
