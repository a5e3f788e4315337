"use strict";
// Conveniences on top of a page that says everything without them.
const all = (what, where = document) => Array.from(where.querySelectorAll(what));
const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text, ...more });

// Sections: open what a link names, open everything for print, and put back what was shut.
const sections = all("details.section");
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const run = target.closest(".run");
  if (run && run.hidden) chooseRun(run.dataset.run);
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
let shut = [];
addEventListener("beforeprint", () => { shut = all("details:not([open])"); shut.forEach((one) => (one.open = true)); });
addEventListener("afterprint", () => shut.forEach((one) => (one.open = false)));

// Contents: shut on a narrow screen, and marking where one is.
const rail = document.querySelector(".rail details");
const narrow = matchMedia("(max-width: 62rem)");
const fit = () => (rail.open = !narrow.matches);
narrow.addEventListener("change", fit);
fit();
all(".rail a").forEach((link) => link.addEventListener("click", () => {
  if (narrow.matches) rail.open = false;
  if (link.hash === location.hash) reveal();
}));
const links = new Map(all(".rail a").map((link) => [link.hash.slice(1), link]));
function mark() {
  let here = "summary";
  for (const section of sections) if (section.getBoundingClientRect().top < innerHeight / 3) here = section.querySelector(".body").id;
  links.forEach((link, id) => (id === here ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
}
let waiting = false;
addEventListener("scroll", () => {
  if (!waiting) requestAnimationFrame(() => { waiting = false; mark(); });
  waiting = true;
}, { passive: true });

// Tools: which run, which baseline, all sections.
const tools = document.getElementById("tools");
function choice(name, options, then) {
  const label = make("label", name + " ");
  const select = make("select", "");
  options.forEach(([value, text]) => select.append(make("option", text, { value })));
  select.addEventListener("change", () => then(select.value));
  label.append(select);
  tools.append(label);
  return select;
}
const runs = all("section .run").map((run) => [run.dataset.run, (run.querySelector(".run-name") || {}).textContent]);
let runSelect;
function chooseRun(value) {
  if (runSelect) runSelect.value = value;
  all(".run").forEach((run) => (run.hidden = value !== "all" && run.dataset.run !== value));
}
if (runs.length > 1) {
  runSelect = choice("Run", [["all", "all runs"], ...runs], chooseRun);
  chooseRun(runs[0][0]);
}
const predictorTables = all("table").filter((table) => table.querySelector("thead th[data-key=predictor]"));
const column = (table, key) => all("thead th", table).findIndex((head) => head.dataset.key === key);
const rowsOf = (table) => all("tbody tr", table);
const named = (row, at) => (row.cells[at] ? row.cells[at].textContent.trim() : "");
const names = new Set(predictorTables.flatMap((table) => rowsOf(table).map((row) => named(row, column(table, "predictor")))));
const baselines = [...names].filter((name) => name && !name.startsWith("Language model"));
if (baselines.length > 1) choice("Baseline", [["", "all"], ...baselines.map((name) => [name, name])], (chosen) => {
  predictorTables.forEach((table) => rowsOf(table).forEach((row) => {
    const name = named(row, column(table, "predictor"));
    row.classList.toggle("other", Boolean(chosen) && name !== chosen && !name.startsWith("Language model"));
  }));
});
const every = make("button", "Open all sections", { type: "button" });
every.addEventListener("click", () => {
  const open = sections.some((one) => !one.open);
  sections.forEach((one) => (one.open = open));
  every.textContent = open ? "Close all sections" : "Open all sections";
});
tools.append(every);

// Tables: sorted by a heading, filtered by words.
const worth = (row, at) => {
  const cell = row.cells[at];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
};
function compare(a, b, sign) {
  const isNumber = [a, b].map((one) => typeof one === "number");
  if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1; // what has no number stands last, whichever way
  return sign * (isNumber[0] ? a - b : a.localeCompare(b));
}
function sorted(items, sign) {
  return items.sort((a, b) => compare(a[0], b[0], sign)).map((pair) => pair[1]);
}
function filter(before, label, items, words) {
  const input = make("input", "", { type: "search", placeholder: "filter" });
  input.setAttribute("aria-label", "Filter: " + label);
  input.addEventListener("input", () => items().forEach((item) => {
    item.classList.toggle("out", !words(item).toLowerCase().includes(input.value.trim().toLowerCase()));
  }));
  before.before(input);
}
all("table").forEach((table) => {
  const rows = rowsOf(table);
  const body = table.tBodies[0];
  if (rows.length > 15 && table.tBodies.length === 1) filter(table.parentElement, table.caption.firstChild ? table.caption.firstChild.textContent : "table", () => rowsOf(table), (row) => row.textContent);
  if (table.tBodies.length > 1 || rows.length < 3) return;
  all("thead th", table).forEach((head, at) => {
    if (head.classList.contains("plot") || !head.textContent.trim()) return;
    const button = make("button", head.textContent, { type: "button" });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      all("thead th", table).forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...sorted(rowsOf(table).map((row) => [worth(row, at), row]), sign));
    });
  });
});
all(".gallery.curves").forEach((gallery) => {
  const panels = () => all(".panel", gallery);
  if (panels().length < 2) return;
  filter(gallery, "curves", panels, (panel) => panel.dataset.name);
  const label = make("label", "sort by ");
  const select = make("select", "");
  [["place", "order of the forest"], ["q", "q"], ["ratio", "adjusted hazard ratio"], ["name", "name"]].forEach(([value, text]) => select.append(make("option", text, { value })));
  select.addEventListener("change", () => {
    const key = (panel) => (select.value === "name" ? panel.dataset.name : Number(panel.dataset[select.value]) * (select.value === "ratio" ? -1 : 1));
    gallery.append(...sorted(panels().map((panel) => [key(panel), panel]), 1));
  });
  label.append(select);
  gallery.before(label);
});
mark();
reveal();
