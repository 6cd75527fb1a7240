"""A small project that lives under a story's clock, and the journal of what it said."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import servers
import small_road
from roadworthy import environment
from roadworthy.tracking import history, registry
from roadworthy.tracking.replay import replay
from story_clock import Clock
from street_pictures import TASK
from webhook import Webhook, webhook

VISITORS = Path(__file__).with_name("visitors.py")
MONDAY = datetime(2027, 1, 4, tzinfo=UTC)
BLOCK = "custom-webhook/garage"
# The road of a person with one task of their own, and a machine of two cores.
SETTINGS: dict[str, Any] = {
    "backbone": {"name": "patch_cnn", "weights": None},
    "pretrain": {"tasks": []},
    "input": {"height": 32, "width": 32, "margin": 1.125},
    "train": {"precision": "fp32", "threads": 1, "checkpoint_seconds": 0},
    "evaluate": {"bootstrap": 200, "stress": 40, "explain": 0, "gallery": 6},
    "export": {"optimise": None},
    # Of so few test images a class or a slice is a handful, and this machine has other work as well.
    "promote": {"class_drop": 0.15, "slice_drop": 0.2, "max_slowdown": 20.0},
    "monitor": {"window": 200, "least": 100, "ask": 150},
    "split": {"val": 0.15, "test": 0.3},
    # Nobody sits before Prefect's pages at night: the proposal is answered in the morning.
    "ingest": {"wait_hours": 0},
    "retrain": {"notify": [BLOCK], "wait_minutes": 5.0},
}
TRAINING = {"epochs": 6, "backbone_lr": 1.0}
# Of the logs of a flow, what a person looks for.
TELLING = re.compile(
    r"^car: |stale:|nothing is stale|committed as|: (promoted|refused|unchanged|failed)\b|with \{|cut off"
    r"|images; they|not good enough|wanted|going on|go on|resum|not taken|data version|drifted"
    r"|ERROR|new \(|test accuracy|Labels|Train again|was validated|Rolled back|answered"
)
LOGGED = re.compile(r"^(\d\d:\d\d:\d\d)\.\d+ \| (\w+) +\| (?:Flow|Task) run '([^']+)' - ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Journal:
    """Markdown, as it happens."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    def say(self, *paragraphs: str) -> None:
        """Prose."""
        for paragraph in paragraphs:
            self.lines += [paragraph, ""]

    def shown(self, command: str, output: Sequence[str]) -> None:
        """A command and what it said."""
        known = str(self.folder)
        said = [line.replace(f"{known}/", "").replace(known, ".").rstrip() for line in output]
        self.lines += ["```console", f"$ {command}", *said, "```", ""]

    def table(self, rows: Sequence[dict[str, Any]]) -> None:
        """A table with a row for each."""
        names = list(rows[0])
        self.lines += [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        for row in rows:
            self.lines.append(f"| {' | '.join(str(row[name]) for name in names)} |")
        self.lines.append("")

    def text(self) -> str:
        """The page."""
        return "\n".join(self.lines).rstrip() + "\n"


@dataclass
class Week:
    """The project, its clock, and who is told."""

    folder: Path
    clock: Clock
    hook: Webhook
    journal: Journal
    variables: dict[str, str]

    def at(self, day: int, hour: str) -> datetime:
        """Set the clock: so many days after Monday, at `HH:MM`."""
        hours, minutes = map(int, hour.split(":"))
        moment = MONDAY + timedelta(days=day, hours=hours, minutes=minutes)
        self.clock.set(moment)
        return moment

    def run(self, *command: str, ok: bool | None = True) -> "subprocess.CompletedProcess[str]":
        """Run a command there, as a process of its own; `ok` None: whatever it ends with."""
        done = subprocess.run(
            [*command],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ok is not None and ok != (done.returncode == 0):
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}")
        return done

    def tell(self, *command: str, ok: bool | None = True, every: bool = False) -> str:
        """Run a command, and put it with its telling lines into the journal; gives all it said.

        Args:
            every: show all of its lines.
        """
        program = [sys.executable, *command[1:]] if command[0] == "python" else list(command)
        said = COLOUR.sub("", self.run(*program, ok=ok).stdout)
        self.journal.shown(" ".join(command), list(telling(said.splitlines(), every)))
        return said

    def visitors(self, images: Sequence[Path], told: int = 0) -> None:
        """People ask the service about images; of the last `told` the right label is told."""
        listed = self.folder / ".cache/visitors.txt"
        listed.write_text("\n".join(map(str, images)))
        own = self.variables | {"ROADWORTHY_LOG": "logs", "ROADWORTHY_LOG_IMAGES": "true"}
        command = [sys.executable, str(VISITORS), str(listed), "--tell", str(told)]
        done = subprocess.run(
            command, cwd=self.folder, env=own, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.journal.say(f"*The day at the service: {done.stdout.strip()}.*")

    def commit(self, message: str) -> None:
        """Commit what a person has changed."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def settle(self) -> dict[str, Any]:
        """What holds after every night; gives it as a row for the journal."""
        aliases, known = registry.aliases(TASK), registry.numbers(TASK)
        state = replay(history.read(TASK))
        assert not history.pending(TASK)
        assert state.champion == aliases.get(registry.CHAMPION)
        assert state.previous(known) == aliases.get(registry.PREVIOUS)
        champion = registry.champion(TASK)
        if champion:
            registry.bundle_folder(champion)
        assert self.run("git", "status", "--porcelain").stdout == ""
        assert "up to date" in self.run("dvc", "status").stdout
        return {
            "champion": aliases.get(registry.CHAMPION, "none"),
            "the one before": aliases.get(registry.PREVIOUS, "none"),
            "versions": len(known),
            "data": self.data[:8],
            "commit": self.run("git", "rev-parse", "--short", "HEAD").stdout.strip(),
        }

    def night_is_over(self) -> dict[str, Any]:
        """`settle`, written down with what people were told."""
        row = self.settle()
        self.journal.table([row])
        for subject, body in self.hook.news():
            first = body.replace(f"{self.folder}/", "").splitlines()[:2]
            self.journal.say(f"> **{subject}**" + "".join(f"<br>{line}" for line in first if line))
        return row

    @property
    def data(self) -> str:
        """The version of the data."""
        record = yaml.safe_load((self.folder / "data.dvc").read_text())
        return str(record["outs"][0]["md5"])

    def set(self, **changes: Any) -> None:
        """Change settings of the task's training, as a commit."""
        path = self.folder / "params.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["tasks"][TASK]["train"] |= changes
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        words = ", ".join(f"{name} {value}" for name, value in changes.items())
        self.commit(f"train: {words}")


def telling(lines: Sequence[str], every: bool = False) -> Iterator[str]:
    """The lines that a person looks for, each once, without the logger's ornaments."""
    seen = set()
    for line in lines:
        found = LOGGED.match(line)
        text = line[found.end() :] if found else line
        drawn = text.startswith(("┏", "┃", "┡", "│", "└"))
        if (every or drawn or TELLING.search(text)) and (drawn or text not in seen):
            seen.add(text)
            yield f"{found[1]}  {text.strip()}" if found else text


@contextmanager
def week(outside: Path) -> Iterator[Week]:
    """A project on its first evening: images and settings are committed, nothing is walked."""
    folder = outside / "project"
    clock = Clock(outside)
    clock.set(MONDAY - timedelta(hours=6))
    with ExitStack() as stack:
        hook = stack.enter_context(webhook())
        prefect = servers.prefect(outside / "prefect")
        prefect.environment |= clock.variables
        stack.callback(prefect.kill)
        prefect.start()
        variables = {
            **os.environ,
            **environment.SWITCHES,
            **environment.state(folder),
            **clock.variables,
            "PYTHONPATH": str(folder / "src"),
            "PREFECT_HOME": str(outside / "prefect"),
            "PREFECT_API_URL": servers.api(prefect),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "110",
        }
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment.state(folder).items():
            patch.setenv(name, value)
        lay(folder)
        patch.chdir(folder)
        made = Week(folder, clock, hook, Journal(folder), variables)
        _register(made)
        yield made


def lay(folder: Path, changes: dict[str, Any] | None = None) -> None:
    """A clone of this checkout with one task, and without images; `changes` of its settings."""
    small_road.lay(folder, {**SETTINGS, **(changes or {})})
    path = folder / "params.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["tasks"] = {TASK: settings["tasks"][TASK] | {"train": dict(TRAINING)}}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    road = folder / "dvc.yaml"
    # `pretrain` names the tasks that it learns from.
    lines = [
        line
        for line in road.read_text().splitlines(keepends=True)
        if not re.fullmatch(rf" +- artifacts/(?!{TASK}/)\w+/prepare\n", line)
    ]
    road.write_text("".join(lines))


def _register(made: Week) -> None:
    """Who is told: a block of Prefect's, as a person makes it."""
    program = (
        "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block\n"
        f"Block(name='garage', url='{made.hook.url}', json_data="
        "{'subject': '{{subject}}', 'body': '{{body}}'}).save('garage')"
    )
    made.run(sys.executable, "-c", program)
