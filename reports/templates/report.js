// Sorts a table by the column whose heading is clicked; without this script every table stands as it was written.
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
        const [x, y] = [read(a), read(b)], [m, n] = [parseFloat(x), parseFloat(y)];
        return Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n;
      });
      body.append(...(descending ? rows.reverse() : rows));
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}
