// Lights up the way to and from a product in the drawing. Without it the drawing is complete.
"use strict";
const drawing = document.getElementById("mesh");
const boxes = new Map([...drawing.querySelectorAll(".box")].map(box => [box.dataset.key, box]));
const edges = [...drawing.querySelectorAll(".edge")];
const before = new Map(), after = new Map();
for (const edge of edges) {
  (after.get(edge.dataset.from) || after.set(edge.dataset.from, []).get(edge.dataset.from)).push(edge);
  (before.get(edge.dataset.to) || before.set(edge.dataset.to, []).get(edge.dataset.to)).push(edge);
}
const said = document.getElementById("said");
const search = document.getElementById("search");
const domain = document.getElementById("domain");

function clear() {
  drawing.classList.remove("chosen");
  for (const lit of drawing.querySelectorAll(".lit")) lit.classList.remove("lit");
}

// Everything that `keys` are made from, or that is made from them.
function light(keys) {
  for (const [next, end] of [[before, "from"], [after, "to"]]) {
    const seen = new Set(keys), waiting = [...keys];
    while (waiting.length) for (const edge of next.get(waiting.pop()) || []) {
      edge.classList.add("lit");
      const other = edge.dataset[end];
      if (!seen.has(other)) { seen.add(other); waiting.push(other); }
    }
    for (const key of seen) boxes.get(key).classList.add("lit");
  }
  drawing.classList.add("chosen");
}

// The boxes that search and domain ask for.
function asked() {
  const words = search.value.trim().toLowerCase();
  if (!words && !domain.value) return [];
  return [...boxes].filter(([key, box]) =>
    (!domain.value || box.dataset.group === domain.value)
    && (!words || `${key} ${box.querySelector("title").textContent}`.toLowerCase().includes(words))).map(([key]) => key);
}

function choose() {
  clear();
  const keys = asked();
  const none = !search.value.trim() && !domain.value;
  said.textContent = none ? "" : keys.length === 1 ? "1 is lit, with all that it reads and all that reads it"
    : `${keys.length} are lit, with all that they read and all that reads them`;
  if (!none) light(keys);
  if (keys.length) boxes.get(keys[0]).scrollIntoView({ block: "center", inline: "center" });
}

for (const [key, box] of boxes) {
  const link = box.closest("a") || box;
  for (const event of ["mouseenter", "focus"]) link.addEventListener(event, () => { clear(); light([key]); });
  for (const event of ["mouseleave", "blur"]) link.addEventListener(event, () => {
    clear();
    if (search.value.trim() || domain.value) light(asked());
  });
}
document.getElementById("tools").hidden = false;
search.addEventListener("input", choose);
domain.addEventListener("input", choose);
