"""The look of the survey's report: light and dark by the reader's preference, narrow and wide, on paper too."""

from typing import Final

SHEET: Final = """
:root { color-scheme: light dark; --page: #ffffff; --panel: #f6f7f9; --line: #d5dae1; --text: #16202c;
  --soft: #5a6675; --prod: #1b63c4; --prod-bar: #bcd5f5; --debug: #a85200; --debug-bar: #f6d9b3; --bad: #bd1e2d;
  --good: #1a7a46; }
@media (prefers-color-scheme: dark) { :root { --page: #10151c; --panel: #182029; --line: #323d4a; --text: #e3e8ee;
  --soft: #9aa7b5; --prod: #79b2ff; --prod-bar: #234268; --debug: #ffb45e; --debug-bar: #5a3d17; --bad: #ff7b83;
  --good: #63cf92; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.5 system-ui, -apple-system, "Segoe UI",
  "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 28px 20px 40px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 36px 0 4px; }
h3 { font-size: 14px; margin: 0; }
p { margin: 4px 0; max-width: 82ch; }
.soft { color: var(--soft); }
.small { font-size: 12px; }
code, .mono { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: 12px;
  overflow-wrap: anywhere; }
td code { font-size: 11.5px; }
a { color: inherit; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(116px, 1fr)); gap: 10px; margin: 18px 0 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px 9px; }
.card b { display: block; font-size: 22px; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 12px; }
.card.bad b { color: var(--bad); }
.card.warn b { color: var(--debug); }
.anomaly { border: 1px solid var(--line); border-left: 4px solid var(--bad); border-radius: 6px; padding: 10px 14px;
  margin: 10px 0; break-inside: avoid-page; }
.anomaly.debug { border-left-color: var(--debug); }
.anomaly > ul { margin: 8px 0 2px; padding: 0; list-style: none; }
.anomaly > ul > li { border-top: 1px solid var(--line); padding: 6px 0; }
.anomaly ul ul { margin: 2px 0; padding-left: 18px; }
summary { cursor: pointer; color: var(--soft); }
.tag { display: inline-block; border: 1px solid var(--soft); border-radius: 4px; padding: 0 6px; font-size: 11px;
  line-height: 17px; color: var(--soft); white-space: nowrap; }
.tag.debug { border-color: var(--debug); color: var(--debug); font-weight: 650; }
.tag.bad { border-color: var(--bad); color: var(--bad); font-weight: 650; }
.tag.good { border-color: var(--good); color: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 8px 0 14px; font-size: 12px; color: var(--soft); }
.legend span { display: inline-flex; align-items: center; gap: 7px; }
.legend svg { width: 22px; height: 28px; }
.legend svg.bar { width: 38px; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap: 12px; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px 4px;
  break-inside: avoid; min-width: 0; }
.overview { margin-bottom: 12px; }
.panel.wide { grid-column: 1 / -1; break-inside: auto; }
.panel header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; margin-bottom: 4px; }
.instance { margin: 8px 0 0; font-size: 12px; }
.row { margin: 0 0 2px; break-inside: avoid; }
.row .label { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: baseline; }
.wide .row { display: grid; grid-template-columns: 330px 1fr; gap: 10px; align-items: center; }
.wide .axis { margin-left: 340px; }
svg { display: block; overflow: visible; }
svg.plot { width: 100%; height: 28px; }
svg.plot.tall { height: 40px; }
svg.axis { width: 100%; height: 18px; }
.wide svg.axis { width: calc(100% - 340px); }
.tick text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.tick line, .grid { stroke: var(--line); stroke-width: 1; }
.base { stroke: var(--line); stroke-width: 1; }
.leaf { fill: var(--prod-bar); }
.leaf.debug { fill: url(#hatch); stroke: var(--debug); stroke-width: 1; }
.hatch-ground { fill: var(--debug-bar); }
.hatch-line { stroke: var(--debug); stroke-width: 1.4; }
.mark-prod { stroke: var(--prod); fill: var(--prod); stroke-width: 2; }
.mark-debug { stroke: var(--debug); fill: var(--page); stroke-width: 2; }
.mark-flag { fill: var(--bad); stroke: var(--page); stroke-width: 1; }
.mark-launch { fill: var(--text); }
.mark:hover { opacity: 0.6; }
.scroll { overflow-x: auto; margin-top: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; border-top: 0; font-size: 12px; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.wide-text { min-width: 240px; overflow-wrap: anywhere; }
.nowrap { white-space: nowrap; }
.registers { display: grid; align-items: baseline; grid-template-columns: max-content 1fr; gap: 0 10px; margin: 2px 0; }
footer { margin-top: 40px; border-top: 1px solid var(--line); padding-top: 12px; color: var(--soft); font-size: 12px; }
@media (max-width: 760px) {
  main { padding: 18px 12px 30px; }
  .wide .row { display: block; }
  .wide .axis { margin-left: 0; }
  .wide svg.axis { width: 100%; }
  .minor { display: none; }
  table.stack thead { display: none; }
  table.stack tr { display: block; border-top: 1px solid var(--line); padding: 6px 0; }
  table.stack td { display: flex; gap: 10px; border: 0; padding: 1px 0; text-align: left; }
  table.stack td::before { content: attr(data-name); color: var(--soft); flex: 0 0 96px; font-size: 12px; }
}
@media print {
  :root { --page: #ffffff; --panel: #ffffff; --line: #bbbbbb; --text: #000000; --soft: #444444; --prod: #1b63c4;
    --prod-bar: #bcd5f5; --debug: #a85200; --debug-bar: #f6d9b3; --bad: #bd1e2d; --good: #1a7a46; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11px; }
  main { max-width: none; padding: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
