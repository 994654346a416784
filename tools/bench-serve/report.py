"""What do the rounds say together?

Each figure is the median of the rounds. Ratios are to FastAPI with ONNX Runtime in the same run.
"""
import statistics

REFERENCE = "fastapi"


def median(values):
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else None


def medians(rounds):
    """The medians of equal fields, down into objects; a key that a round lacks counts as nothing there."""
    merged = {}
    for key in dict.fromkeys(key for one in rounds for key in one):
        values = [one.get(key) for one in rounds]
        if any(isinstance(value, dict) for value in values):
            merged[key] = medians([value or {} for value in values])
        else:
            merged[key] = median(values)
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in merged.items()}


def ratio(figure, reference):
    return round(figure / reference, 3) if figure is not None and reference else None


def ratios(services):
    """For each service, what is looked at first, divided by the same of REFERENCE."""
    reference = services.get(REFERENCE)
    if reference is None:
        return None

    def figure(service, load, key):
        return service.get(load, {}).get(key)

    compared = {
        "cpu_c1": ("png c=1", "cpu_ms"),
        "p50_c1": ("png c=1", "p50_ms"),
        "cpu_without_engine_c32": ("png c=32", "cpu_without_engine_ms"),
        "cpu_c32": ("png c=32", "cpu_ms"),
        "throughput_c32": ("png c=32", "per_second"),
    }
    return {
        name: {key: ratio(figure(service, *place), figure(reference, *place)) for key, place in compared.items()}
        for name, service in services.items() if name != REFERENCE
    }


def cell(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def closed_table(services):
    """The closed loops, a row for each service and load."""
    rows = ["| service | load | a second | p50 ms | p99 ms | CPU ms | less engine | by process | MB | failed |",
            "|---|---|---:|---:|---:|---:|---:|---|---:|---:|"]
    loads = dict.fromkeys(load for service in services.values() for load in service if load != "open")
    for load in loads:
        for name, service in services.items():
            row = service.get(load)
            if row is None:
                continue
            parts = ", ".join(f"{part} {cell(cpu, 3)}" for part, cpu in row["cpu_ms_by"].items() if cpu >= 0.001)
            rows.append(
                f"| {name} | {load} | {cell(row['per_second'], 0)} | {cell(row['p50_ms'], 2)} | {cell(row['p99_ms'], 2)} "
                f"| {cell(row['cpu_ms'], 3)} | {cell(row['cpu_without_engine_ms'], 3)} | {parts} "
                f"| {cell(sum(row['memory_mb'].values()), 0)} | {cell(row['failed'], 0)} |")
    return rows


def open_table(services):
    """The open loops: what is served of twice the peak."""
    rows = ["| service | sent a second | 200 a second | p50 ms | p99 ms | 200 after the end | 429 with Retry-After "
            "| timeouts | other failures |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name, service in services.items():
        row = service.get("open")
        if row:
            keys = ("late_share", "retry_after_share", "timeout_share", "failed_share")
            share = [f"{row[key] * 100:.1f} %" for key in keys]
            rows.append(f"| {name} | {cell(row['rate'], 0)} | {cell(row['per_second'], 0)} | {cell(row['p50_ms'], 1)} "
                        f"| {cell(row['p99_ms'], 1)} | {' | '.join(share)} |")
    return rows


def table(report):
    services = report["services"]
    lines = closed_table(services)
    opens = open_table(services)
    if len(opens) > 2:
        lines += ["", *opens]
    for name, figures in (report["ratios"] or {}).items():
        lines.append("")
        lines.append(f"{name} / {REFERENCE}: " + ", ".join(f"{key} {figure}" for key, figure in figures.items()))
    return "\n".join(lines)
