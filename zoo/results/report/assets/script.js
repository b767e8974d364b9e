(() => {
  "use strict";
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("zoo-report-theme"); } catch { /* a page from a file may have no storage */ }
  const paint = () => {
    const isDark = chosen ? chosen === "dark" : wantsDark.matches;
    root.dataset.theme = isDark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(isDark));
  };
  button.addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("zoo-report-theme", chosen); } catch { /* as above */ }
    paint();
  });
  wantsDark.addEventListener("change", paint);
  paint();

  // A column of numbers is sorted by the number that a cell begins with, largest first;
  // cells without a number come last, whichever way.
  const number = (text) => {
    const found = text.replaceAll(",", "").replace("−", "-").match(/^-?\d+(\.\d+)?/);
    return found ? Number(found[0]) : null;
  };
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    const texts = [...body.rows].map((row) => row.cells[head.cellIndex].textContent.trim());
    const isNumber = head.classList.contains("number") && texts.some((text) => number(text) !== null);
    const before = head.getAttribute("aria-sort");
    const isUp = before === "none" ? !isNumber : before === "descending";
    const sign = isUp ? 1 : -1;
    const keyed = [...body.rows].map((row, index) => {
      return { row, key: isNumber ? number(texts[index]) : texts[index] };
    });
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return sign * (isNumber ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true }));
    });
    body.append(...keyed.map((each) => each.row));
    for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
  };
  for (const head of document.querySelectorAll("thead th")) {
    head.firstElementChild.addEventListener("click", () => sort(head));
  }

  const runs = [...document.querySelectorAll(".run")];
  const filter = document.getElementById("filter");
  filter?.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const run of runs) {
      const name = run.querySelector(".name").textContent.toLowerCase();
      run.hidden = !words.every((word) => name.includes(word));
    }
    const seen = runs.filter((run) => !run.hidden).length;
    document.getElementById("count").textContent = filter.value ? `${seen} of ${runs.length} runs` : "";
  });
  const boxes = document.getElementById("boxes");
  boxes?.addEventListener("change", () => root.classList.toggle("no-boxes", !boxes.checked));
})();
