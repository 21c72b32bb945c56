"""Rows as Markdown tables and plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ace_ros.evaluation.metrics import within
from bench import plan, trust
from bench.measure import Row

_RECALL = ("5cm_5deg", "2cm_2deg", "1cm_1deg")
_HEAD = (
    "| {first} | median error | 5cm/5deg | 2cm/2deg | 1cm/1deg | mapping, s | CPU s | map, MB | query, ms | CPU ms | "
    "peak, GB |\n|---|" + "---|" * 10
)
_UNMEASURED = {"queries", "frames"}
_COLUMNS = 4  # plots beside each other


def write(rows: list[Row], folder: Path) -> None:
    """results.md and the plots, of all rows."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = _of(rows, "trust")
    rows = [row for row in rows if row["method"] != "trust"]
    units = {name: _unit(rows, name) for name in _scenes(rows)}
    blocks = tables(rows, units) if rows else ["# Results"]
    if shown:
        blocks += ["## Knowing when it is lost", _origin(shown), *trust.tables(shown)]
        trust.plot(shown, folder / "operating_curve.png")
    (folder / "results.md").write_text("\n\n".join(blocks) + "\n")
    if not rows:
        return
    _plot_time(rows, units, folder / "accuracy_over_time.png")
    _plot_errors(rows, units, folder / "errors.png")
    _plot_queries(rows, folder / "query_time.png")


def one_line(row: Row) -> str:
    """The essence of a row for the console."""
    if row["method"] == "trust":
        return trust.one_line(row)
    table = errors(row, row.get("median_depth", 1.0) if not row["metric"] else 1.0)
    recall = " ".join(f"{100 * within(table, name).mean():.0f}%" for name in _RECALL)
    return (
        f"{_error(table, row['metric'])}, recall {recall}, mapping {row['seconds']:.0f} s "
        f"({row['cpu_seconds']:.0f} CPU s), map {row['map_bytes'] / 1e6:.2f} MB, query {row['query_ms']:.0f} ms"
    )


def errors(row: Row, unit: float, prefix: str = "") -> NDArray[np.float64]:
    """(N, 2): translation in units of ``unit``, rotation in degrees; infinite without a pose."""
    table = np.array([[np.inf, np.inf] if error is None else error for error in row[f"{prefix}errors"]])
    table[:, 0] /= unit
    return table


def tables(rows: list[Row], units: dict[str, float]) -> list[str]:
    """One text a table: side by side for each scene, then the ladders and the ablation."""
    blocks = ["# Results", _origin(rows)]
    for scene, unit in units.items():
        here = [row for row in rows if row["scene"] == scene]
        scale = "cm" if here[0]["metric"] else f"percent of the median depth, {unit:.3g} units"
        blocks += [f"## {scene}", f"Translation in {scale}.", _side_by_side(here, unit)]
        for title, chosen, label in (
            ("Our mapping by time", _budgets(here), "training, s"),
            ("The paper's recipe by time", _of(here, "recipe"), "budget, s"),
            ("Number of frames", _growth(here), "frames"),
            ("One option changed (whole map; then its head alone)", _ablation(here), "change"),
        ):
            if chosen:
                blocks += [f"### {title}", _ladder(chosen, unit, label)]
        ratio = recipe_ratio(here)
        if ratio:
            blocks.append(ratio)
    return blocks


def recipe_ratio(here: list[Row]) -> str:
    """What the recipe needs for the accuracy of our head alone, against ours; by the clock of its budgets."""
    ours = _defaults(here)
    recipe = sorted(_of(here, "recipe"), key=lambda row: row["settings"]["seconds"])
    if not ours or not recipe:
        return ""
    goal, clock = plan.median(ours["head_errors"]), recipe[0]["settings"]["clock"]
    figure = "cpu_seconds" if clock == "cpu" else "seconds"
    reached = next((row for row in recipe if plan.median(row["errors"]) <= goal), None)
    spent = (reached or recipe[-1])[figure] / ours[figure]
    said = f"{spent:.1f} times" if reached else f"more than {spent:.1f} times (its longest run)"
    return f"The recipe needs {said} our mapping's {clock} time for the median error of our head alone."


def _side_by_side(here: list[Row], unit: float) -> str:
    lines = [_HEAD.format(first="method")]
    ours = _defaults(here)
    if ours:
        lines.append(_cells("ours, defaults", ours, unit))
        lines.append(_cells("our head alone, same map", ours, unit, "head_"))
    recipe = sorted(_of(here, "recipe"), key=lambda row: row["settings"]["seconds"])
    if recipe:
        lines.append(_cells(f"paper's recipe, {recipe[0]['settings']['seconds']} s", recipe[0], unit))
    lines += [_cells(f"structure, {r['settings']['features']}", r, unit) for r in _of(here, "structure")]
    return "\n".join(lines)


def _ladder(chosen: list[Row], unit: float, label: str) -> str:
    lines = [_HEAD.format(first=label)]
    for row in chosen:
        changed = {k: v for k, v in row["settings"].items() if k not in ("queries", "clock")}
        name = ", ".join(f"{k} {v}" for k, v in changed.items() if (k, v) != ("steps", 10**6)) or "defaults"
        lines.append(_cells(name, row, unit))
        if label == "change" and row["landmarks"]:
            lines.append(_cells(f"{name}: head alone", row, unit, "head_"))
    return "\n".join(lines)


def _cells(name: str, row: Row, unit: float, prefix: str = "") -> str:
    table = errors(row, unit, prefix)
    figures = [
        name,
        _error(table, row["metric"]),
        *(f"{100 * within(table, threshold).mean():.1f} %" for threshold in _RECALL),
        f"{row['seconds']:.0f}",
        f"{row['cpu_seconds']:.0f}",
        f"{row['map_bytes'] / 1e6:.2f}",
        f"{row[prefix + 'query_ms']:.0f}",
        f"{row[prefix + 'query_cpu_ms']:.0f}",
        f"{row['peak_rss_bytes'] / 1e9:.2f}",
    ]
    return "| " + " | ".join(figures) + " |"


def _error(table: NDArray[np.float64], metric: bool) -> str:
    translation, rotation = np.median(table, axis=0)
    if not np.isfinite(translation):
        return "mostly lost"
    return f"{100 * translation:.2f} {'cm' if metric else '%'}, {rotation:.2f} deg"


def _origin(rows: list[Row]) -> str:
    machines = sorted({f"{row['machine']}" for row in rows})
    dates = sorted(row["date"] for row in rows)
    commits = list(dict.fromkeys(row["commit"] for row in rows))
    threads = sorted({str(row["threads"] or "all") for row in rows})
    busy = max(row["load_before"] for row in rows)
    return (
        f"{len(rows)} measurements on {'; '.join(machines)}; threads: {', '.join(threads)}; {dates[0]} to {dates[-1]}; "
        f"commits {', '.join(commits)}; load of the machine before a measurement up to {busy:.1f} (with other work on "
        "it wall times mean nothing, and CPU times are upper bounds). "
        "Medians and fractions are of all queries; peak is that of mapping."
    )


def _scenes(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["scene"] for row in rows))


def _unit(rows: list[Row], scene: str) -> float:
    """One for metric scenes, else their median depth: the same for all methods, ours if it was measured."""
    here = [row for row in rows if row["scene"] == scene]
    if here[0]["metric"]:
        return 1.0
    known = sorted((row for row in here if "median_depth" in row), key=lambda row: row["method"])
    return float(known[0]["median_depth"]) if known else 1.0


def _of(here: list[Row], method: str) -> list[Row]:
    chosen = [row for row in here if row["method"] == method]
    return sorted(chosen, key=lambda row: row["settings"].get("seconds", 0))


def _defaults(here: list[Row]) -> Row | None:
    """Our row with the defaults: the one with nothing but what --quick sets."""
    candidates = [r for r in _of(here, "ours") if r["settings"] in ({}, {"queries": 20, "frames": 100, "steps": 200})]
    return candidates[-1] if candidates else None


def _budgets(here: list[Row]) -> list[Row]:
    return sorted((r for r in _of(here, "ours") if "seconds" in r["settings"]), key=lambda row: row["seconds"])


def _growth(here: list[Row]) -> list[Row]:
    chosen = [row for row in _of(here, "ours") if set(row["settings"]) == {"frames"}]
    return sorted(chosen, key=lambda row: row["frames"])


def _ablation(here: list[Row]) -> list[Row]:
    chosen = [
        r for r in _of(here, "ours") if len(set(r["settings"]) - _UNMEASURED) == 1 and "seconds" not in r["settings"]
    ]
    defaults = _defaults(here)
    return [defaults, *chosen] if defaults and chosen else []


def _plot_time(rows: list[Row], units: dict[str, float], path: Path) -> None:
    figure, axes = _axes(len(units))
    for axis, (scene, unit) in zip(axes, units.items(), strict=True):
        here = [row for row in rows if row["scene"] == scene]
        default = [row for row in [_defaults(here)] if row]
        ladders = {
            "ours": ([*_budgets(here), *default], ""),
            "our head alone": ([*_budgets(here), *default], "head_"),
            "paper's recipe": (_of(here, "recipe"), ""),
            **{f"structure, {r['settings']['features']}": ([r], "") for r in _of(here, "structure")},
        }
        for name, (chosen, prefix) in ladders.items():
            points = sorted((r["cpu_seconds"], float(np.median(errors(r, unit, prefix)[:, 0]))) for r in chosen)
            points = [point for point in points if np.isfinite(point[1])]
            if points:
                axis.loglog(*zip(*points, strict=True), "o-" if len(points) > 1 else "s", label=name)
        axis.set(
            title=scene, xlabel="mapping, CPU s", ylabel="median error, m" if here[0]["metric"] else "of the depth"
        )
        axis.legend(fontsize=7)
    _save(figure, path)


def _plot_errors(rows: list[Row], units: dict[str, float], path: Path) -> None:
    figure, axes = _axes(len(units))
    for axis, (scene, unit) in zip(axes, units.items(), strict=True):
        here = [row for row in rows if row["scene"] == scene]
        ours = _defaults(here)
        chosen = [("ours", ours, ""), ("our head alone", ours, "head_")] if ours else []
        chosen += [(f"paper's recipe, {r['settings']['seconds']} s", r, "") for r in _of(here, "recipe")[:1]]
        chosen += [(f"structure, {r['settings']['features']}", r, "") for r in _of(here, "structure")]
        for name, row, prefix in chosen:
            found = np.sort(errors(row, unit, prefix)[:, 0])
            axis.semilogx(found, (np.arange(len(found)) + 1) / len(found), label=name)
        axis.set(title=scene, xlabel="error, m" if here[0]["metric"] else "error, of the depth", ylabel="queries")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    _save(figure, path)


def _plot_queries(rows: list[Row], path: Path) -> None:
    figure, (axis,) = _axes(1)
    for scene in _scenes(rows):
        for method in ("ours", "structure"):
            chosen = [row for row in rows if row["scene"] == scene and row["method"] == method]
            points = sorted((row["map_bytes"] / 1e6, row["query_cpu_ms"]) for row in chosen)
            if points:
                axis.plot(*zip(*points, strict=True), "o" if method == "ours" else "s", label=f"{method}, {scene}")
    axis.set(xlabel="map, MB", ylabel="query, CPU ms", yscale="log")
    axis.legend(fontsize=7)
    _save(figure, path)


def _axes(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of so many plots, in rows."""
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(5 * columns, 4 * rows), layout="tight")
    return figure, [figure.add_subplot(rows, columns, number + 1) for number in range(count)]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=90)
