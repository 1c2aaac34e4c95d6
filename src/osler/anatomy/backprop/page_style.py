"""The look of the page: light and dark as the reader's system says, tints of two hues that colour-blind readers tell apart.

Blue is negative and orange positive (Okabe & Ito 2008, "Color Universal Design"); the stronger, the larger the number
within its tensor.
"""

STEPS = 8  # strengths of a tint
BLUE, ORANGE = "0, 114, 178", "230, 135, 20"
STRONGEST = 0.62  # opacity

PALETTE = """
:root { --ink: #1b2128; --muted: #5b6671; --rule: #e1e5e9; --surface: #ffffff; --raised: #f6f8fa; --mark: #1b2128;
  --good: #00664b; --bad: #b0480a; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ecef; --muted: #a5afba; --rule: #2c333b; --surface: #15191e;
  --raised: #1c2128; --mark: #ffffff; --good: #3fd6ab; --bad: #f0a35e; } }
"""

LOOK = """
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 72rem; padding: 0 clamp(1rem, 4vw, 3rem) 5rem; color: var(--ink); background: var(--surface);
  font: 400 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1, h2, h3, p, dl { margin: 0; }
h1 { font-size: clamp(1.4rem, 3vw, 1.9rem); line-height: 1.2; letter-spacing: -0.012em; }
h2 { font-size: 1.35rem; margin: 4rem 0 0.5rem; }
h3 { font-size: 1.05rem; }
header { padding: 4rem 0 1.5rem; }
header p { max-width: 46rem; margin-top: 0.8rem; }
.quiet { color: var(--muted); }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
nav { border-block: 1px solid var(--rule); padding: 0.7rem 0; font-size: 0.9rem; }
nav p { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; padding: 0.15rem 0; }
nav a:first-child { color: var(--ink); font-weight: 600; }
nav a { color: var(--muted); text-decoration: none; }
nav a:hover { color: var(--ink); text-decoration: underline; }
:focus-visible { outline: 2px solid #0072b2; outline-offset: 3px; }
.step { border-top: 1px solid var(--rule); padding: 1.5rem 0 0.5rem; margin-top: 1.5rem; scroll-margin-top: 0.5rem; }
.step > p { color: var(--muted); font-size: 0.9rem; overflow-wrap: anywhere; }
.said { padding-top: 1.1rem; }
.said > p { max-width: 46rem; }
.wide { overflow-x: auto; overflow-y: hidden; padding: 0.35rem 0; }
math { font-size: 1.08em; }
math[display="block"] { text-align: left; margin: 0; width: max-content; }
.example { background: var(--raised); border-radius: 6px; padding: 0.5rem 0.8rem; margin-top: 0.3rem;
  max-width: 100%; overflow-x: auto; line-height: 1.9; }
.example math { font-size: 1em; }
details { font-size: 0.82rem; color: var(--muted); }
summary { cursor: pointer; width: max-content; }
code { font: 0.95em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.figure { display: flex; align-items: flex-start; gap: 0.8rem; margin-top: 0.7rem; }
.sign { min-width: 3.2rem; padding-top: 0.1rem; white-space: nowrap; }
@media (max-width: 40rem) { .figure { flex-direction: column; gap: 0.3rem; } }
.tables { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0.8rem 1.2rem; }
.numbers { border-collapse: separate; border-spacing: 1px;
  font: 0.78rem/1.35 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.numbers caption { text-align: left; color: var(--muted); font: 0.78rem/1.4 system-ui, sans-serif; white-space: nowrap; }
.numbers td { padding: 0.12rem 0.4rem; text-align: right; white-space: nowrap; border-radius: 2px; }
.numbers td.won { outline: 2px solid var(--mark); outline-offset: -2px; font-weight: 700; }
.rows { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; width: 100%; margin-top: 0.8rem; }
.rows th, .rows td { text-align: right; padding: 0.35rem 0 0.35rem 1rem;
  border-bottom: 1px solid var(--rule); white-space: nowrap; }
.rows th:first-child, .rows td:first-child { text-align: left; padding-left: 0; }
.rows th { font-weight: 500; color: var(--muted); }
.key { display: inline-flex; gap: 1px; vertical-align: middle; }
.key span { width: 1.1rem; height: 0.9rem; }
@media print { .wide { overflow: visible; } details { display: none; } }
"""


def style() -> str:
    """The whole of the page's CSS."""
    tints = []
    for strength in range(1, STEPS + 1):
        opacity = round(STRONGEST * strength / STEPS, 3)
        tints += [
            f".p{strength}{{background:rgba({ORANGE},{opacity})}}",
            f".n{strength}{{background:rgba({BLUE},{opacity})}}",
        ]
    return PALETTE + LOOK + "".join(tints)


def tint(value: float, largest: float) -> str:
    """The class of a number's cell: n8 to n1 for negative ones, nothing near zero, p1 to p8."""
    if not largest or value != value:
        return ""
    strength = min(STEPS, round(STEPS * abs(value) / largest))
    return f"{'p' if value > 0 else 'n'}{strength}" if strength else ""
