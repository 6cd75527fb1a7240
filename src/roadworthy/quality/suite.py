"""What Great Expectations is asked about a manifest, and its answers as a plain verdict."""

import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from roadworthy.params import Validation


@dataclass(frozen=True)
class Finding:
    """One expectation and how it came out."""

    name: str
    level: str
    """`error` stops the road, `warn` is shown."""
    passed: bool
    observed: str
    wanted: str


@dataclass(frozen=True)
class Verdict:
    """All findings on one task's data."""

    task: str
    images: int
    usable: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """No `error` expectation is broken."""
        return all(f.passed or f.level != "error" for f in self.findings)

    def broken(self, level: str) -> list[Finding]:
        """Findings of a level that did not pass."""
        return [f for f in self.findings if not f.passed and f.level == level]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Rule:
    """An expectation over one column of one of the two tables that are judged."""

    name: str
    level: str
    table: str
    """`images`: a row per usable image; `summary`: one row of figures over the data set."""
    column: str
    low: float | None
    high: float | None
    mostly: float = 1.0

    @property
    def wanted(self) -> str:
        """The range in words."""
        ends = [f">= {self.low:g}"] if self.low is not None else []
        ends += [f"<= {self.high:g}"] if self.high is not None else []
        share = f" in {self.mostly:.0%} of images" if self.mostly < 1 else ""
        return " and ".join(ends) + share


def rules(settings: Validation) -> list[Rule]:
    """Every expectation; add one here and it is judged, shown and tested."""
    usual = 1 - settings.max_suspicious
    return [
        Rule("readable share", "error", "summary", "readable", 1 - settings.max_unreadable, None),
        Rule("labelled share", "error", "summary", "labelled", 1 - settings.max_unlabelled, None),
        Rule("classes", "error", "summary", "classes", 2, None),
        Rule(
            "images in the smallest class",
            "error",
            "summary",
            "smallest_class",
            settings.min_per_class,
            None,
        ),
        Rule("imbalance", "error", "summary", "imbalance", None, settings.max_imbalance),
        Rule(
            "exact copies under another label",
            "error",
            "summary",
            "conflicts",
            None,
            settings.max_conflicts,
        ),
        Rule(
            "near-duplicates",
            "warn",
            "summary",
            "near_duplicates",
            None,
            settings.max_near_duplicates,
        ),
        Rule("height", "error", "images", "height", settings.min_side, None, 0.98),
        Rule("width", "error", "images", "width", settings.min_side, None, 0.98),
        Rule("aspect", "warn", "images", "aspect", 0.2, 5.0, usual),
        Rule("not too dark", "warn", "images", "brightness", settings.dark, None, usual),
        Rule("not too bright", "warn", "images", "brightness", None, 1 - settings.dark, usual),
        Rule("not blurry or flat", "warn", "images", "sharpness", settings.blurry, None, usual),
    ]


def judge(
    task: str, images: pd.DataFrame, summary: dict[str, float], settings: Validation, docs: Path
) -> Verdict:
    """Run the expectations with Great Expectations and write its Data Docs below `docs`.

    Args:
        images: manifest rows of usable images.
        summary: figures over the data set, by the column names used in `rules`.
    """
    tables = {"images": images, "summary": pd.DataFrame([summary])}
    asked = rules(settings)
    answers = _validate(asked, tables, docs)
    findings = tuple(
        Finding(rule.name, rule.level, passed, observed, rule.wanted)
        for rule, (passed, observed) in zip(asked, answers, strict=True)
    )
    return Verdict(task, int(summary["images"]), len(images), findings)


def _validate(
    asked: list[Rule], tables: dict[str, pd.DataFrame], docs: Path
) -> list[tuple[bool, str]]:
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Its own use of pandas and marshmallow warns; nothing there is ours to mend.
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        found: dict[int, tuple[bool, str]] = {}
        for name, table in tables.items():
            mine = [(n, rule) for n, rule in enumerate(asked) if rule.table == name]
            results = _checkpoint(gx, context, name, [rule for _, rule in mine], table)
            found |= {mine[n][0]: answer for n, answer in results.items()}
        _write_docs(context, docs)
    return [found[n] for n in range(len(asked))]


def _checkpoint(
    gx: Any, context: Any, name: str, asked: list[Rule], table: pd.DataFrame
) -> dict[int, tuple[bool, str]]:
    source = context.data_sources.add_or_update_pandas(name)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name=name))
    for place, rule in enumerate(asked):
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeBetween(
                column=rule.column,
                min_value=rule.low,
                max_value=rule.high,
                mostly=rule.mostly,
                severity="critical" if rule.level == "error" else "warning",
                meta={"place": place, "name": rule.name},
            )
        )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=suite)
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=name, validation_definitions=[definition])
    )
    run = checkpoint.run(batch_parameters={"dataframe": table})
    (result,) = run.run_results.values()
    answers = {}
    for item in result.results:  # their order is not the order of the suite
        rule = asked[item.expectation_config.meta["place"]]
        answers[item.expectation_config.meta["place"]] = (
            bool(item.success),
            _observed(rule, item.result, table),
        )
    return answers


def _observed(rule: Rule, result: dict[str, Any], table: pd.DataFrame) -> str:
    if rule.table == "summary":
        return f"{table[rule.column].iloc[0]:g}"
    return f"{result.get('unexpected_count', 0)} of {result['element_count']} outside"


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
