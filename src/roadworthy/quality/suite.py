"""What Great Expectations is asked about a task's images, and its answers as a plain verdict."""

import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from roadworthy.quality.rules import Facts, Figure, Rule, rules
from roadworthy.quality.shortcut import Shortcut


@dataclass(frozen=True)
class Finding:
    """One rule and how it came out."""

    name: str
    level: str
    """`error` stops the road, `warn` is shown."""
    passed: bool
    observed: str
    wanted: str
    setting: str
    """The key of `validate` that holds the threshold, or ""."""


@dataclass(frozen=True)
class Verdict:
    """All findings on one task's images."""

    task: str
    images: int
    usable: int
    findings: tuple[Finding, ...]
    """On this version alone."""
    changes: tuple[Finding, ...]
    """Against the earlier version; empty where there is none."""
    off: tuple[str, ...]
    """Rules that are switched off."""
    shortcut: Shortcut

    @property
    def passed(self) -> bool:
        """No `error` rule is broken."""
        return not self.broken("error")

    @property
    def alarm(self) -> bool:
        """The shortcut rule is broken."""
        return any(f.name == "shortcut" and not f.passed for f in self.findings)

    def broken(self, level: str) -> list[Finding]:
        """Findings of a level that did not pass."""
        every = (*self.findings, *self.changes)
        return [f for f in every if not f.passed and f.level == level]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: what follows from this version alone, as DVC's outs must."""
        stopped = any(not f.passed and f.level == "error" for f in self.findings)
        values = {k: v for k, v in asdict(self).items() if k != "changes"}
        return {**values, "passed": not stopped, "alarm": self.alarm}


def judge(facts: Facts, docs: Path) -> Verdict:
    """Put every rule to Great Expectations, and write its Data Docs below `docs`.

    Raises:
        ParamsError: `validate.levels` names a rule that there is not.
    """
    every = rules(facts.plan.validation)
    asked = [r for r in every if r.level != "off" and (facts.drift or not r.over_time)]
    figures = {rule.name: rule.measure(facts) for rule in asked if callable(rule.measure)}
    answers = _validate(asked, facts.clean, figures, docs)
    found = {
        rule.name: Finding(rule.name, rule.level, passed, observed, rule.wanted, rule.setting)
        for rule, (passed, observed) in zip(asked, answers, strict=True)
    }
    return Verdict(
        facts.plan.name,
        len(facts.manifest),
        len(facts.clean),
        tuple(found[rule.name] for rule in asked if not rule.over_time),
        tuple(found[rule.name] for rule in asked if rule.over_time),
        tuple(rule.name for rule in every if rule.level == "off"),
        facts.shortcut,
    )


def _validate(
    asked: list[Rule], images: pd.DataFrame, figures: dict[str, Figure], docs: Path
) -> list[tuple[bool, str]]:
    """Whether each rule is kept, and what was observed, in the order of `asked`."""
    summary = pd.DataFrame([{name: float(figure.value) for name, figure in figures.items()}])
    tables = {"images": images, "summary": summary}
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Its own use of pandas and marshmallow warns; nothing there is ours to mend.
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        results: dict[int, Any] = {}
        for name, table in tables.items():
            mine = {
                n: rule
                for n, rule in enumerate(asked)
                if callable(rule.measure) == (name == "summary")
            }
            results |= _checkpoint(gx, context, name, mine, table) if mine else {}
        _write_docs(context, docs)
    return [
        (bool(results[n].success), _observed(rule, results[n].result, figures))
        for n, rule in enumerate(asked)
    ]


def _checkpoint(
    gx: Any, context: Any, name: str, asked: dict[int, Rule], table: pd.DataFrame
) -> dict[int, Any]:
    """Great Expectations' result per number of a rule."""
    source = context.data_sources.add_or_update_pandas(name)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name=name))
    for number, rule in asked.items():
        suite.add_expectation(_expectation(gx, number, rule))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=suite)
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=name, validation_definitions=[definition])
    )
    run = checkpoint.run(batch_parameters={"dataframe": table})
    (result,) = run.run_results.values()
    # Their order is not the order of the suite.
    return {item.expectation_config.meta["number"]: item for item in result.results}


def _expectation(gx: Any, number: int, rule: Rule) -> Any:
    common = {
        "column": rule.measure if isinstance(rule.measure, str) else rule.name,
        "mostly": rule.mostly,
        "severity": "critical" if rule.level == "error" else "warning",
        "meta": {"number": number, "name": rule.name},
    }
    if rule.values:
        return gx.expectations.ExpectColumnValuesToBeInSet(value_set=list(rule.values), **common)
    return gx.expectations.ExpectColumnValuesToBeBetween(
        min_value=rule.low, max_value=rule.high, **common
    )


def _observed(rule: Rule, result: dict[str, Any], figures: dict[str, Figure]) -> str:
    if rule.name in figures:
        return str(figures[rule.name])
    outside = result.get("unexpected_count", 0)
    return f"{outside} of {result['element_count']} outside" if outside else "all"


def _write_docs(context: Any, docs: Path) -> None:
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs.resolve()),
        },
    }
    context.add_data_docs_site("docs", site)
    context.build_data_docs(site_names=["docs"])
