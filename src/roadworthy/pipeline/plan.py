"""plan: check `params.yaml` and write every task's resolved settings, on which all stages depend.

DVC tracks the sections of these files, so that a stage runs again when a setting that reaches it
changed, wherever it was set, and an unknown key stops the road before any work.
"""

import yaml

from roadworthy import params
from roadworthy.errors import ParamsError
from roadworthy.layout import PLAN, replacing
from roadworthy.params import Params, TaskPlan


def run() -> None:
    """Write `artifacts/plan/TASK.yaml` for each task.

    Raises:
        ParamsError: `params.yaml` is wrong; nothing was written.
    """
    checked = params.load()
    plans = {name: _resolved(checked.task(name)).as_dict() for name in checked.tasks}
    _check_scenes(checked)
    with replacing(PLAN) as folder:
        for name, plan in plans.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
        shared = {"seed": checked.seed, **checked.model_dump(mode="json")["pretrain"]}
        shared |= {"backbone": checked.backbone.model_dump(mode="json")}
        (folder / "pretrain.yaml").write_text(yaml.safe_dump(shared), encoding="utf-8")


def _check_scenes(checked: Params) -> None:
    """That the folder of scenes is there where a task searches; else DVC is content with an empty one."""
    searching = [name for name in checked.tasks if checked.task(name).search.enabled]
    if not searching:
        checked.scenes.mkdir(parents=True, exist_ok=True)
    elif not checked.scenes.is_dir():
        raise ParamsError(
            f"params.yaml: scenes names {checked.scenes}, which is no folder, and {searching[0]} has "
            "search.enabled: put pictures and their boxes.csv there, or switch it off"
        )


def _resolved(plan: TaskPlan) -> TaskPlan:
    """The plan with `input.size: backbone` replaced by the backbone's own pixels, mean and deviation."""
    if plan.input.size == "set":
        return plan
    # torch takes seconds to import, and most roads set their size.
    from roadworthy.models.catalogue import resolve

    return plan.model_copy(update={"input": resolve(plan.input, plan.backbone)})
