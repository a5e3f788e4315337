"use strict";
const main = document.querySelector("main");
const items = [...document.querySelectorAll("fieldset")];
const chosen = (item, name) => item.querySelector(`input[name="${name}-${item.dataset.item}"]:checked`)?.value ?? "";
const text = (item, kind) => item.querySelector(kind).textContent;
// A cell that a spreadsheet would run as a formula gets an apostrophe in front, as in the CSV that was sent out.
const cell = (value) => `"${(/^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;
const row = (item) => [item.dataset.sheet, item.dataset.item, text(item, ".question"), text(item, ".case"), text(item, ".answer"),
  chosen(item, "acceptable"), chosen(item, "grade"), item.querySelector(".comment").value];
const count = () => {
  const told = items.filter((item) => chosen(item, "acceptable")).length;
  document.querySelector("#done").textContent = `${told} of ${items.length} judged`;
};
main.addEventListener("change", count);
document.querySelector("#save").addEventListener("click", () => {
  const lines = [JSON.parse(main.dataset.columns), ...items.map(row)].map((one) => one.map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = `rated-${document.querySelector("#rater").value.replace(/\W+/g, "") || "rater"}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
});
count();
