// Sorting and searching the table of a fleet. Without it the table is complete.
"use strict";
const body = document.querySelector("#table tbody");
const rows = [...body.rows].map(row => ({ row, text: row.textContent.toLowerCase(), state: row.dataset.state }));
const search = document.getElementById("search"), state = document.getElementById("state");
const count = document.getElementById("count");
function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let fits = 0;
  for (const one of rows) {
    one.row.hidden = !((!state.value || one.state === state.value) && words.every(word => one.text.includes(word)));
    if (!one.row.hidden) fits += 1;
  }
  const all = `${rows.length} product${rows.length === 1 ? "" : "s"}`;
  count.textContent = fits === rows.length ? all : `${fits} of ${all}`;
}
for (const head of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of document.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const of = one => { const cell = one.row.cells[head.dataset.sort]; return cell.dataset.value ?? cell.textContent.trim(); };
    rows.sort((left, right) => {
      const a = of(left), b = of(right);
      const order = a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a < b ? -1 : a > b ? 1 : 0;
      return down ? -order : order;
    });
    body.append(...rows.map(one => one.row));
  });
}
document.getElementById("tools").hidden = false;
search.addEventListener("input", show);
state.addEventListener("input", show);
