// The page's own script: gathers a case, shows the answer as it comes, keeps one beside the next, goes through a file of cases.
"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const form = one("#ask"), said = one("#said"), results = one("#results"), held = one("#held");
let running = null; // AbortController of what is being asked
let file = null; // {name, text, cases}
let last = null; // {asked, cases: {model: file}, records: {model: record}, isInView}
let kept = null;
let batch = []; // lines of the file of predictions, by the place of their case

const way = () => one("input[name=way]:checked").value;
const models = () => all("input[name=model]:checked").map((box) => box.value);

// Which way a case is given.
for (const radio of all("input[name=way]")) radio.addEventListener("change", () => {
  for (const panel of all(".way")) panel.hidden = panel.dataset.way !== way();
  one("#go").textContent = way() === "file" && file && file.cases > 1 ? "Score the cases" : "Score the case";
});

// Rows of the form that repeat.
const another = (field) => {
  const entry = one(".entry", field).cloneNode(true);
  for (const part of all("input,select", entry)) part.value = part.tagName === "SELECT" ? part.options[0].value : "";
  const entries = all(".entry", field);
  entries[entries.length - 1].after(entry);
  return entry;
};
form.addEventListener("click", (event) => {
  if (!event.target.matches(".more")) return;
  one("input,select", another(event.target.closest(".field"))).focus();
});
const emptied = () => {
  for (const field of all(".field")) {
    all(".entry", field).slice(1).forEach((entry) => entry.remove());
    for (const part of all("[data-part]", field)) part.value = part.dataset.part === "detail" ? part.options[0].value : "";
  }
  wrongs([]);
};
const fill = (entries) => {
  emptied();
  for (const given of entries) {
    const field = one(`.field[data-field="${given.field}"]`);
    const isUsed = (entry) => all("[data-part=value],[data-part=days]", entry).some((part) => part.value);
    const entry = all(".entry", field).find((row) => !isUsed(row)) || another(field);
    for (const part of all("[data-part]", entry)) {
      const value = given[part.dataset.part];
      if (value !== undefined) part.value = value;
    }
    const part = field.closest("details.part");
    if (part) part.open = true;
  }
};
one("#empty").addEventListener("click", emptied);
for (const button of all(".demo-case")) button.addEventListener("click", () => {
  fill(JSON.parse(button.dataset.entries));
  said.textContent = `${button.textContent}: the form is filled in.`;
  ahead();
});
const entered = () => all(".field").flatMap((field) => all(".entry", field).map((entry) => {
  const told = {field: field.dataset.field};
  for (const part of all("[data-part]", entry)) if (part.value.trim()) told[part.dataset.part] = part.value.trim();
  return told;
})).filter((told) => told.value || told.days);

// What is entered is read while it is typed, so that the answer comes at once; what is wrong in it is said when it is asked about.
let pause = 0;
const ahead = () => {
  clearTimeout(pause);
  pause = setTimeout(() => {
    if (running || way() !== "entries" || !models().length) return;
    post("/screen/read", JSON.stringify({model: models()[0], entries: entered()})).catch(() => { /* told when it is asked about */ });
  }, 400);
};
form.addEventListener("input", ahead);

// What was wrong, beside the field that it is of.
const wrongs = (errors) => {
  for (const place of all(".wrong")) { place.hidden = true; place.textContent = ""; }
  for (const part of all("[aria-invalid]")) part.removeAttribute("aria-invalid");
  const general = [];
  let first = null;
  for (const {field, expected} of errors) {
    const box = one(`.field[data-field="${CSS.escape(field)}"]`);
    if (!box || way() !== "entries") { general.push(`${field}: ${expected}`); continue; }
    const place = one(".wrong", box);
    place.hidden = false;
    place.textContent = expected;
    const input = one("input,select", box);
    input.setAttribute("aria-invalid", "true");
    const part = box.closest("details.part");
    if (part) part.open = true;
    first = first || input;
  }
  one("#errors").textContent = general.join("; ");
  if (first) first.focus();
};

// A file for the reader to keep.
const saved = (text, type, name) => {
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// JSON lines as they come.
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
  if (rest) yield JSON.parse(rest);
}
const post = (address, body, signal) => fetch(address, {method: "POST", body, signal, headers: {"content-type": "application/json"}});
const refused = async (response) => {
  const text = await response.text();
  try { const told = JSON.parse(text); return told.errors || [{field: "", expected: told.error}]; } catch { return [{field: "", expected: text}]; }
};

const busy = (is) => {
  one("#go").disabled = is;
  one("#cancel").disabled = !is;
  for (const name of ["hold", "copy", "paper"]) one(`#${name}`).disabled = is || !last;
};

const asked = () => {
  if (way() === "entries") return {entries: entered()};
  if (way() === "prompt") return {prompt: one("#prompt").value};
  if (way() === "patient") {
    const box = one("#days"), day = box && one("input[name=day]:checked", box);
    if (!day) throw [{field: "patient", expected: "choose a patient and an index day"}];
    const value = day.value === "other" ? one("#other-day").value.trim() : day.value;
    if (!/^-?\d{1,5}$/.test(value)) throw [{field: "index day", expected: "expected a whole number of days"}];
    const agents = one("#other-agents").value.split(/[+,;]/).map((name) => name.trim()).filter(Boolean);
    return {patient: {patient_id: box.dataset.patient, index_day: Number(value), agents}};
  }
  if (!file) throw [{field: "file", expected: "choose a file"}];
  const row = JSON.parse(file.text);
  const told = {};
  for (const name of ["case_id", "prompt", "instruction", "input"]) if (row[name] != null) told[name] = row[name];
  return told;
};

// One case with one model: pieces are put where they belong as they come.
const ask = async (question, model, signal) => {
  const box = document.createElement("section");
  box.className = "result";
  box.dataset.model = model;
  box.append(Object.assign(document.createElement("h3"), {textContent: model}));
  const parts = {};
  for (const name of ["score", "standing", "text", "moved", "case"]) {
    parts[name] = document.createElement("div");
    box.append(parts[name]);
  }
  results.append(box);
  const response = await post("/screen/ask", JSON.stringify({...question, model}), signal);
  if (!response.ok) throw await refused(response);
  for await (const event of lines(response)) {
    if (event.event === "text") {
      if (!parts.text.className) { parts.text.className = "live"; parts.text.textContent = ""; }
      parts.text.append(event.text);
      continue;
    }
    if (event.event === "case") last.cases[model] = event.file;
    if (event.record) last.records[model] = event.record;
    if (event.event === "answer") { parts.text.className = ""; parts.text.innerHTML = event.html; }
    else if (event.event === "failed") { parts.text.className = ""; if (event.html) parts.text.innerHTML = event.html; else parts.text.textContent = event.message; said.textContent = "No answer."; return false; }
    else if (parts[event.event]) parts[event.event].innerHTML = event.html;
    if (event.event === "score") { if (!last.isInView) one("#outcome").scrollIntoView({block: "start"}); last.isInView = true; said.textContent = `${model}: score ${event.record.score.toFixed(3)}.`; difference(); }
  }
  return true;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  wrongs([]);
  if (way() === "file" && file && file.cases > 1) return many();
  let question;
  try { question = asked(); } catch (told) {
    return wrongs(Array.isArray(told) ? told : [{field: "file", expected: "expected a JSON object with instruction and input"}]);
  }
  if (!models().length) return wrongs([{field: "model", expected: "choose at least one"}]);
  one("#outcome").hidden = false;
  one("#batch").hidden = true;
  results.replaceChildren(...(kept ? [Object.assign(document.createElement("h2"), {textContent: "Now"})] : []));
  last = {asked: question, cases: {}, records: {}, isInView: false};
  running = new AbortController();
  busy(true);
  said.textContent = one("#states .making, #states .loading") ? "Asked. The model is not ready yet; the answer comes as soon as it is." : "Asked.";
  try {
    const ended = await Promise.all(models().map((model) => ask(question, model, running.signal)));
    if (ended.every(Boolean)) said.textContent = "Done.";
  } catch (told) {
    if (Array.isArray(told)) { wrongs(told); said.textContent = "Not asked."; results.replaceChildren(); last = null; }
    else said.textContent = told.name === "AbortError" ? "Cancelled." : "The page's server does not answer; is it still running?";
  }
  running = null;
  busy(false);
});
one("#cancel").addEventListener("click", () => running && running.abort());

// One result beside the next, and what differs.
one("#hold").addEventListener("click", () => {
  kept = last;
  held.replaceChildren(Object.assign(document.createElement("h2"), {textContent: "Before"}), ...all(".result", results).map((box) => box.cloneNode(true)));
  // Links within what is kept lead within it.
  for (const part of all("[id]", held)) part.id = `held-${part.id}`;
  for (const link of all("a[href^='#']", held)) link.setAttribute("href", `#held-${link.getAttribute("href").slice(1)}`);
  said.textContent = "Kept. Change the case and score it again.";
  difference();
});
const words = (told) => [told.detail, told.value, told.days && `${told.days} days`].filter(Boolean).join(", ");
const difference = () => {
  const box = one("#difference");
  box.replaceChildren();
  if (!kept || !last || kept === last) return;
  const list = document.createElement("ul");
  const add = (text) => list.append(Object.assign(document.createElement("li"), {textContent: text}));
  for (const [model, record] of Object.entries(last.records)) {
    const before = kept.records[model];
    if (before) add(`${model}: score ${before.score.toFixed(3)} before, ${record.score.toFixed(3)} now, ${record.score - before.score >= 0 ? "+" : "−"}${Math.abs(record.score - before.score).toFixed(3)}`);
  }
  if (kept.asked.entries && last.asked.entries) {
    const label = (name) => one(`.field[data-field="${CSS.escape(name)}"] legend`).firstChild.textContent.trim();
    const told = (some) => some.map((entry) => `${label(entry.field)}: ${words(entry)}`);
    const was = told(kept.asked.entries), is = told(last.asked.entries);
    was.filter((text) => !is.includes(text)).forEach((text) => add(`no longer: ${text}`));
    is.filter((text) => !was.includes(text)).forEach((text) => add(`new: ${text}`));
  }
  const warn = document.createElement("p");
  warn.className = "note";
  warn.textContent = "Scores are prognostic within a regimen. That a case scores higher with one regimen than with another is no evidence that it would do better with it.";
  box.append(Object.assign(document.createElement("h2"), {textContent: "Difference"}), list, warn);
};

// A fact that a rationale cites, wherever it is folded away.
one("#outcome").addEventListener("click", (event) => {
  const link = event.target.closest("sup a"), place = link && document.getElementById(link.hash.slice(1));
  if (place) place.closest("details").open = true;
});

one("#paper").addEventListener("click", () => print());
addEventListener("beforeprint", () => { one("#printed").textContent = `Printed ${new Date().toLocaleString()} · `; });
one("#copy").addEventListener("click", async () => {
  const told = Object.entries(last.records).map(([model, record]) => ({model, case: last.cases[model], answer: record}));
  const text = JSON.stringify(told.length === 1 ? told[0] : told, null, 1);
  try { await navigator.clipboard.writeText(text); said.textContent = "Copied."; }
  catch { saved(text, "application/json", "case.json"); said.textContent = "The browser does not let this page copy: saved as case.json."; }
});

// A file of cases.
const read = async (chosen) => {
  if (!chosen) return;
  const told = one("#file-said");
  if (chosen.size > 16 * 2 ** 20) { told.textContent = "Expected at most 16 MiB."; return; }
  const text = await chosen.text();
  let cases = text.split("\n").filter((line) => line.trim()).length, whole = text;
  try { const value = JSON.parse(text); if (Array.isArray(value)) { cases = value.length; whole = value.map((row) => JSON.stringify(row)).join("\n"); if (cases === 1) whole = JSON.stringify(value[0]); } else cases = 1; } catch { /* JSON lines */ }
  file = {name: chosen.name, text: whole, cases};
  told.textContent = `${chosen.name}: ${cases} case${cases === 1 ? "" : "s"}.`;
  one("#go").textContent = cases > 1 ? "Score the cases" : "Score the case";
};
one("#file").addEventListener("change", (event) => read(event.target.files[0]));
const drop = one("#drop");
for (const name of ["dragover", "dragleave", "drop"]) drop.addEventListener(name, (event) => {
  event.preventDefault();
  drop.classList.toggle("over", name === "dragover");
  if (name === "drop") read(event.dataTransfer.files[0]);
});

const cell = (text, isHead) => {
  const made = document.createElement(isHead ? "th" : "td");
  if (isHead) { made.scope = "row"; made.className = "text"; }
  made.textContent = text;
  return made;
};
const row = (event) => {
  const {record} = event, made = document.createElement("tr");
  const number = (value) => value == null ? "–" : value.toFixed(3);
  made.append(cell(record.case_id, true), cell(number(record.score)), cell(number(record.probability)), cell(record.category || "–"),
    cell(record.is_response == null ? "–" : record.is_response ? "yes" : "no"), cell(event.failed || (record.finish_reason === "not_sampled" ? "score alone" : record.finish_reason.replace("_", " "))));
  ["case", "score", "recalibrated", "nearest label", "response expected", "state"].forEach((label, place) => { made.cells[place].dataset.label = label; });
  made.record = {...record, state: event.failed || record.finish_reason};
  return made;
};
const many = async () => {
  const body = one("#table tbody"), progress = one("#progress"), told = one("#progress-said");
  if (!models().length) return wrongs([{field: "model", expected: "choose at least one"}]);
  one("#outcome").hidden = true;
  one("#batch").hidden = false;
  one("#batch").scrollIntoView({block: "start"});
  said.textContent = "Asked.";
  body.replaceChildren();
  batch = [];
  one("#download").disabled = true;
  one("#digest").textContent = "";
  running = new AbortController();
  busy(true);
  try {
    const address = `/api/batch?model=${encodeURIComponent(models()[0])}&rationales=${one("#rationales").checked}`;
    const response = await post(address, file.text, running.signal);
    if (!response.ok) throw await refused(response);
    for await (const event of lines(response)) {
      if (event.event === "case") {
        batch[event.place] = event.line;
        body.append(row(event));
        progress.max = event.of;
        progress.value = event.done;
        told.textContent = `${event.done} of ${event.of} cases, by ${models()[0]}`;
      } else if (event.event === "end") {
        one("#digest").textContent = `sha256 ${event.sha256}`;
        told.textContent = `${event.cases} cases, ${event.failed} without an answer, by ${event.model}`;
        said.textContent = "Done.";
      }
    }
  } catch (problem) {
    if (Array.isArray(problem)) wrongs(problem);
    else said.textContent = problem.name === "AbortError" ? "Cancelled; what was answered stands in the table." : "The page's server does not answer; is it still running?";
  }
  one("#download").disabled = !batch.length;
  running = null;
  busy(false);
};
one("#table thead").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const head = button.closest("th"), key = button.dataset.key, isDown = head.getAttribute("aria-sort") === "ascending";
  all("th", one("#table thead")).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  const value = (made) => made.record[key] ?? (typeof made.record[key] === "number" ? -1 : "");
  const rows = all("tbody tr", one("#table")).sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (isDown ? -1 : 1));
  one("#table tbody").append(...rows);
});
one("#download").addEventListener("click", () => {
  const text = batch.filter(Boolean).join(""); // as the server wrote it: the digest is of these bytes
  saved(text, "application/x-ndjson", `predictions-${models()[0]}.jsonl`);
});
