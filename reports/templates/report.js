// Sorts a table by the column whose heading is clicked; without this script every table stands as it was written.
const UNITS = {
  s: 1, min: 60, h: 3600, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30,
  FLOP: 1, kFLOP: 1e3, MFLOP: 1e6, GFLOP: 1e9, TFLOP: 1e12, PFLOP: 1e15, EFLOP: 1e18,
};
// The amount that a cell begins with: "1 min 05 s" is more than "54.0 s", and "4 TFLOP" than "942 GFLOP".
const measure = (text) => {
  const [, most, unit, rest, small] = /^([\d.]+)\s(\w+)(?:\s(\d+)\s(min|s)\b)?/.exec(text) ?? [];
  return unit in UNITS ? most * UNITS[unit] + (rest ? rest * UNITS[small] : 0) : parseFloat(text);
};
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, place) => {
    heading.tabIndex = 0;
    const sort = () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const read = (row) => row.cells[place].textContent.trim().replace(/−/g, "-").replace(/,/g, "");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [read(a), read(b)], [m, n] = [measure(x), measure(y)];
        return Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y, "en", { numeric: true }) : m - n;
      });
      body.append(...(descending ? rows.reverse() : rows));
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}
