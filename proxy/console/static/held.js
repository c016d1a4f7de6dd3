// The list of what is held: one box that chooses all on the page. Without scripts each is chosen by itself.
const table = document.getElementById("entries");
if (table) {
  const boxes = [...table.querySelectorAll("tbody input[type=checkbox]")];
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Choose all on this page");
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  table.addEventListener("change", () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  });
  table.querySelector("thead th").replaceChildren(all);
}
