const wait = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  const problems = [];
  const check = (what, held) => held || problems.push(what);
  const open = async () => { for (const d of document.querySelectorAll("details")) d.open = true; await wait(50); };
  const rows = (kind) => document.querySelectorAll(`#${kind} .rows > li`).length;
  await open();
  const wide = document.documentElement;
  check(`the page is ${wide.scrollWidth} wide in ${wide.clientWidth}`, wide.scrollWidth <= wide.clientWidth);
  // What sticks out of a box that hides it does not show.
  const hidden = (node) => { for (let n = node.parentElement; n; n = n.parentElement) if (n !== wide && getComputedStyle(n).overflowX !== "visible") return true; return false; };
  for (const node of document.querySelectorAll("main *, header *")) {
    const box = node.getBoundingClientRect();
    if (node.closest("svg, nav") || box.width === 0 || hidden(node)) continue;
    if (box.right > wide.clientWidth + 1 || box.left < -1) { check(`<${node.tagName} class=${node.className}> sticks out: ${box.left}..${box.right}`, false); break; }
  }
  for (const column of document.querySelectorAll(".charts rect")) {
    const [inner, outer] = [column, column.closest("svg")].map((node) => node.getBoundingClientRect());
    check("a column leaves its chart", inner.left >= outer.left && inner.right <= outer.right && inner.bottom <= outer.bottom);
  }
  const all = rows("blocks");
  const find = document.getElementById("blocks-find");
  find.value = "WANTED needle";
  find.dispatchEvent(new Event("input"));
  await wait(300);
  check(`the search finds ${rows("blocks")}`, rows("blocks") === 1);
  find.value = "";
  find.dispatchEvent(new Event("input"));
  const show = document.getElementById("blocks-show");
  show.value = "keep";
  show.dispatchEvent(new Event("change"));
  check("a filter shows what it hides", rows("blocks") > 0 && document.querySelectorAll("#blocks .rows > li").length === document.querySelectorAll("#blocks .badge.keep").length);
  show.value = "";
  show.dispatchEvent(new Event("change"));
  const order = document.getElementById("blocks-order");
  order.value = "id";
  order.dispatchEvent(new Event("change"));
  check("the order does not hold", document.querySelector("#blocks .rows > li").id === "blocks-1");
  check(`rows are lost: ${all}, ${rows("blocks")}`, rows("blocks") === Math.min(all, 20));
  const names = [...document.querySelectorAll("input, select, button, summary, a")].filter((n) => !n.textContent.trim() && !n.labels?.length);
  check("something has no name", names.length === 0);
  const ids = [...document.querySelectorAll("[id]")].map((n) => n.id);
  check("an id occurs twice", new Set(ids).size === ids.length);
  parent.postMessage(problems.length ? problems.join("; ") : "fine", "*");
})();
