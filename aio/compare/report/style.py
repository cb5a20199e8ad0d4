"""The page's style sheet."""

from aio.catalog import ENGINES


def css() -> str:
    """The sheet; each engine's colour is a variable."""
    light = " ".join(f"--{row.name}: {row.colour};" for row in ENGINES.values())
    dark = " ".join(f"--{row.name}: {row.colour_in_dark};" for row in ENGINES.values())
    return f"""
:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
{_CSS}"""


_CSS = """
:root {
  color-scheme: light dark;
  --page: #f7f8f8; --card: #ffffff; --ink: #1c2329; --muted: #5a666e; --line: #dce1e4;
  --grid: #d5dadd; --link: #0b5cad; --heat: #e8890c;
  --yes: #d6f0df; --yes-ink: #0c5429; --no: #fadbd4; --no-ink: #86200e;
  --partly: #fcebbf; --partly-ink: #644900; --open: #e7ebed; --open-ink: #4a565e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #13171a; --card: #1a2024; --ink: #e3e7e9; --muted: #9ba7ae; --line: #313b41;
    --grid: #343d43; --link: #74b3f0; --heat: #f0a030;
    --yes: #143d25; --yes-ink: #a5e3bd; --no: #51190f; --no-ink: #ffb9ab;
    --partly: #453607; --partly-ink: #f5d983; --open: #2b343a; --open-ink: #b4c0c7;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
header, .columns { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 {
  font-size: 1.5rem; line-height: 1.25; margin: 3.25rem 0 .75rem; padding-top: .9rem;
  border-top: 2px solid var(--ink);
}
h3 { font-size: 1.15rem; line-height: 1.3; margin: 2.1rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, ul, dl { margin: .5rem 0 .9rem; max-width: 48rem; }
ul { padding-left: 1.2rem; }
li { margin: .2rem 0; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.quiet { color: var(--muted); }
.about { color: var(--muted); margin: 0; max-width: 60rem; }
.warning {
  border-left: 5px solid var(--partly-ink); background: var(--partly); color: var(--partly-ink);
  padding: .7rem 1rem; border-radius: 4px; max-width: 60rem;
}
.warning.cut { border-color: var(--no-ink); background: var(--no); color: var(--no-ink); }

nav { font-size: .92rem; }
nav ul { list-style: none; padding-left: 0; margin: .2rem 0; }
nav ul ul { padding-left: .9rem; font-size: .95em; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav b { display: block; margin-top: 1.2rem; }

.scroll {
  overflow: auto; max-height: 85vh; margin: .6rem 0 1.2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; width: fit-content; max-width: 100%;
}
table { border-collapse: separate; border-spacing: 0; font-size: .88rem; line-height: 1.35; }
th, td { padding: .34rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
thead th {
  position: sticky; top: 0; z-index: 2; background: var(--card); vertical-align: bottom;
  font-weight: 600; border-bottom: 1px solid var(--ink);
}
thead th small { font-weight: 400; }
tbody th {
  position: sticky; left: 0; z-index: 1; background: var(--card); text-align: left;
  font-weight: 600; white-space: nowrap;
}
thead th:first-child { left: 0; z-index: 3; text-align: left; }
table small { display: block; font-size: .8em; color: var(--muted); font-weight: 400; }
tbody tr:hover > * { background-image: linear-gradient(rgb(128 128 128 / .08) 0 0); }
.text th, .text td { text-align: left; white-space: normal; vertical-align: top; }
.text td { max-width: 48rem; }
.text tbody th { min-width: 8rem; white-space: normal; }
.best { font-weight: 700; }
.w1 { background-color: color-mix(in srgb, var(--heat) 9%, transparent); }
.w2 { background-color: color-mix(in srgb, var(--heat) 20%, transparent); }
.w3 { background-color: color-mix(in srgb, var(--heat) 36%, transparent); }
.w4 { background-color: color-mix(in srgb, var(--heat) 55%, transparent); }
td[class^="w"] small { color: inherit; opacity: .8; }

.pill {
  display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .85rem;
  font-weight: 600; white-space: nowrap; background: var(--open); color: var(--open-ink);
}
.pill.yes { background: var(--yes); color: var(--yes-ink); }
.pill.no { background: var(--no); color: var(--no-ink); }
.pill.partly { background: var(--partly); color: var(--partly-ink); }
.verdicts td { text-align: center; }
.verdicts thead th:not(:first-child) { text-align: center; min-width: 4.5rem; white-space: normal; }
.verdicts tbody th { white-space: normal; min-width: 13rem; max-width: 46rem; font-weight: 400; }
.verdicts tbody th a { color: inherit; text-decoration-color: var(--muted); }
.finding {
  display: grid; grid-template-columns: fit-content(14rem) max-content 1fr; gap: .45rem 1rem;
  max-width: 62rem;
}
.finding dt { font-weight: 600; }
.finding dd { margin: 0; }

figure {
  margin: 1.2rem 0 2rem; padding: 1rem 1.1rem .8rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; max-width: 62rem;
}
figure h4 { margin: 0 0 .5rem; }
figcaption { font-size: .92rem; color: var(--muted); max-width: 52rem; margin-top: .5rem; }
.drawing { overflow-x: auto; }
.drawing svg { display: block; width: 100%; min-width: 40rem; height: auto; }
.drawing svg text { font-family: inherit !important; }

details { margin: .5rem 0; }
summary { cursor: pointer; padding: .25rem 0; }
summary b { font-weight: 600; }
details > :not(summary) { margin-left: 1.05rem; }
footer { max-width: 84rem; margin: 4rem auto 2rem; padding: 0 1.25rem; color: var(--muted); }

@media (min-width: 75rem) {
  .columns { display: grid; grid-template-columns: minmax(0, 1fr) 13.5rem; gap: 3rem; }
  nav {
    grid-column: 2; grid-row: 1; position: sticky; top: 0; align-self: start;
    max-height: 100vh; overflow-y: auto; padding: 1rem 0;
  }
  main { grid-column: 1; grid-row: 1; min-width: 0; }
}
@media (max-width: 40rem) {
  body { font-size: 15px; }
  h1 { font-size: 1.55rem; }
  h2 { font-size: 1.3rem; }
  header, .columns { padding-left: .8rem; padding-right: .8rem; }
  th, td { padding: .3rem .5rem; }
  .finding { grid-template-columns: max-content 1fr; }
  .finding dd + dd { grid-column: 1 / -1; margin-bottom: .6rem; }
  figure { padding: .8rem .6rem; }
  details > :not(summary) { margin-left: 0; }
  tbody th { white-space: normal; max-width: 45vw; }
  .verdicts tbody th { position: static; min-width: 11rem; max-width: none; }
}
@media print {
  nav { display: none; }
  .scroll { max-height: none; overflow: visible; }
  figure, tr { break-inside: avoid; }
}
"""
