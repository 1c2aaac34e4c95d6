"""The page of a fault, and the list of all of them, made from the checks themselves."""

from osler.doctor.causes import BRINGS
from osler.doctor.fault import Fault, all_checks
from osler.structures.errors import UnknownNameError
from osler.structures.registry import unknown


def fault_named(name: str) -> Fault:
    """The fault of that name.

    Raises:
        UnknownNameError: there is none; the nearest is offered.
    """
    checks = all_checks()
    if name not in checks:
        raise UnknownNameError(unknown("fault", name, checks))
    return checks[name].fault


def fault_page(fault: Fault, heading: str = "#") -> str:
    """The page as Markdown: symptom, cause, how it is seen, remedies, what it brings about, sources."""
    remedies = "\n".join(f"{n}. **{r.remedy}**: {r.change}" for n, r in enumerate(fault.remedies, 1))
    sources = "\n".join(f"- {source}" for source in fault.sources)
    brings = ", ".join(sorted(BRINGS.get(fault.name, ()))) or "nothing that is told apart here"
    causes = (
        ", ".join(sorted(cause for cause, effects in BRINGS.items() if fault.name in effects))
        or "none that is known here"
    )
    return f"""{heading} {fault.title}

`{fault.name}` · {fault.category} · looked for {_WHEN[fault.phase]}

**What you see.** {fault.symptom}

**What happens.** {fault.cause}

**How it is told.** {_sentence(fault.seen_by)}

**What to do.**

{remedies}

**It can bring about** {brings}. **It can itself come from** {causes}.

**Sources**

{sources}
"""


_WHEN = {"before": "before training", "during": "during training", "after": "after training"}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def all_pages() -> str:
    """Every fault on one page, by category."""
    faults = [check.fault for check in all_checks().values()]
    parts = [
        "# The faults that `osler doctor` tells\n",
        f"{len(faults)} faults, made from the checks by `make docs`.\n",
    ]
    for category in ("data", "model", "optimisation", "evaluation"):
        parts.append(f"## {category.capitalize()}\n")
        parts += [fault_page(fault, "###") for fault in faults if fault.category == category]
    return "\n".join(parts)
