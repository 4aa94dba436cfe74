// Search, filters and keys of the catalogue. Without it the page shows every product.
"use strict";
const AT_ONCE = 60;
const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const list = document.getElementById("products");
const products = JSON.parse(document.getElementById("index").textContent).map((entry, number) => ({
  card: list.children[number],
  title: plain(entry.title),
  words: plain(entry.words),
  ports: entry.ports.map(([name, columns]) => ({ name, columns, text: plain(`${name} ${columns.join(" ")}`) })),
  number,
}));
const field = Object.fromEntries(["search", "domain", "state", "sort"].map(name => [name, document.getElementById(name)]));
const count = document.getElementById("count");
const more = document.getElementById("more");
let shown = AT_ONCE;

// How well a product fits all of the words; 0 where one of them is nowhere in it.
function rank(product, words) {
  let total = 1;
  for (const word of words) {
    if (product.title.startsWith(word)) total += 40;
    else if (product.title.includes(word)) total += 20;
    else if (product.ports.some(port => plain(port.name).includes(word))) total += 10;
    else if (product.words.includes(word)) total += 5;
    else if (product.ports.some(port => port.text.includes(word))) total += 3;
    else return 0;
  }
  return total;
}

// Columns that a word is found in, said below the card; text nodes only, names are not to be trusted.
function tell(product, words) {
  let line = product.card.querySelector(".hit");
  const found = words.length ? product.ports.flatMap(port => port.columns
    .filter(column => words.some(word => plain(column).includes(word))).map(column => [port.name, column])) : [];
  if (!found.length) { if (line) line.remove(); return; }
  if (!line) { line = document.createElement("p"); line.className = "hit"; product.card.append(line); }
  line.textContent = found.length === 1 ? "Column " : "Columns ";
  found.slice(0, 6).forEach(([port, column], number) => {
    const mark = document.createElement("mark");
    mark.textContent = column;
    line.append(number ? ", " : "", mark, ` of ${port}`);
  });
  if (found.length > 6) line.append(` and ${found.length - 6} more`);
}

function show() {
  const words = plain(field.search.value).split(/\s+/).filter(Boolean);
  const fits = [];
  for (const product of products) {
    const { domain, state } = product.card.dataset;
    const points = (!field.domain.value || domain === field.domain.value) && (!field.state.value || state === field.state.value)
      ? rank(product, words) : 0;
    if (points) fits.push([points, product]);
    product.card.hidden = true;
  }
  const by = field.sort.value;
  const weight = { bad: 0, warn: 1, good: 2, none: 3 };
  fits.sort(([left, a], [right, b]) =>
    (words.length && by === "fit" ? right - left : 0)
    || (by === "state" ? weight[a.card.dataset.state] - weight[b.card.dataset.state] : 0)
    || (by === "title" ? (a.title < b.title ? -1 : a.title > b.title ? 1 : 0) : 0)
    || a.number - b.number);
  const visible = fits.slice(0, shown);
  for (const [, product] of visible) { product.card.hidden = false; tell(product, words); list.append(product.card); }
  const all = `${products.length} product${products.length === 1 ? "" : "s"}`;
  count.textContent = fits.length === products.length ? all : `${fits.length} of ${all}`;
  more.hidden = fits.length <= shown;
  more.textContent = `Show ${Math.min(AT_ONCE, fits.length - shown)} more of ${fits.length - shown}`;
  const state = new URLSearchParams();
  if (field.search.value) state.set("q", field.search.value);
  for (const name of ["domain", "state"]) if (field[name].value) state.set(name, field[name].value);
  if (by !== "fit") state.set("sort", by);
  const hash = state.toString();
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.href.split("#")[0]);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  field.search.value = state.get("q") || "";
  for (const name of ["domain", "state", "sort"]) field[name].value = state.get(name) || (name === "sort" ? "fit" : "");
  for (const name of ["domain", "state", "sort"]) if (field[name].selectedIndex < 0) field[name].selectedIndex = 0;
}

document.getElementById("tools").hidden = false;
for (const control of Object.values(field)) control.addEventListener("input", () => { shown = AT_ONCE; show(); });
more.addEventListener("click", () => {
  const from = shown;
  shown += AT_ONCE;
  show();
  const next = [...list.children].filter(card => !card.hidden)[from];
  if (next) next.querySelector("a").focus();
});
addEventListener("hashchange", () => { recall(); show(); });
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === "/" && !typing) { event.preventDefault(); field.search.focus(); field.search.select(); return; }
  if (event.key === "Escape" && event.target === field.search) { field.search.value = ""; shown = AT_ONCE; show(); return; }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.target instanceof HTMLSelectElement) return;
  const links = [...list.children].filter(card => !card.hidden).map(card => card.querySelector("h3 a"));
  const at = links.indexOf(document.activeElement);
  if (at < 0 && event.target !== field.search) return;
  event.preventDefault();
  const next = event.key === "ArrowDown" ? at + 1 : at - 1;
  if (next < 0) field.search.focus();
  else if (next < links.length) links[next].focus();
});
recall();
show();
