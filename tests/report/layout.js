// What is cut, overlaps, scrolls sideways or is too small to read, with every section open.
document.querySelectorAll("details").forEach((one) => (one.open = true));
document.querySelectorAll(".run").forEach((one) => (one.hidden = false));
const said = [];
const visible = (box) => box.width > 0 && box.height > 0;
const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) said.push(`the page is ${page.scrollWidth} wide in ${page.clientWidth}`);
document.querySelectorAll(".scroll").forEach((one) => {
  if (one.scrollWidth > one.clientWidth + 1) said.push(`a table is ${one.scrollWidth} wide in ${one.clientWidth}: ${one.getAttribute("aria-label")}`);
});
document.querySelectorAll("th,td,summary,li,p,figcaption").forEach((one) => {
  const box = one.getBoundingClientRect();
  if (visible(box) && !one.closest("thead") && (box.right > page.clientWidth + 1 || box.left < -1)) said.push(`outside: ${one.textContent.slice(0, 60)}`);
});
document.querySelectorAll("main svg[role=img]").forEach((one) => {
  const frame = one.getBoundingClientRect();
  const label = one.getAttribute("aria-label");
  if (!visible(frame)) return;
  if (!label) said.push("a figure says nothing to a screen reader");
  const texts = [...one.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
  texts.forEach(([text, box], place) => {
    const isTurned = text.hasAttribute("transform");
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) said.push(`cut: ${text.textContent} in ${label.slice(0, 50)}`);
    if (!isTurned && box.height < 8) said.push(`too small: ${text.textContent} in ${label.slice(0, 50)}`);
    texts.slice(place + 1).forEach(([other, beside]) => {
      const across = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
      const down = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
      if (!isTurned && !other.hasAttribute("transform") && across > 1 && down > 4) said.push(`${text.textContent} over ${other.textContent} in ${label.slice(0, 50)}`);
    });
  });
});
tell([...new Set(said)]);
