(() => {
  // Visible texts as boxes, one for each line of each text node.
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const owner = node.parentElement;
    if (!node.data.trim() || owner.closest("style, script, title")) continue;
    if (!owner.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      boxes.push({ owner, text: node.data.trim().slice(0, 40), box });
    }
  }
  boxes.sort((one, other) => one.box.top - other.box.top);
  const overlapping = [];
  boxes.forEach((one, place) => {
    for (let next = place + 1; next < boxes.length; next += 1) {
      const other = boxes[next];
      if (other.box.top > one.box.bottom) break;
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
      // Line boxes of small and large letters on one line touch by a few pixels.
      if (wide > 2 && high > 6 && one.owner !== other.owner) {
        overlapping.push(`${one.text} / ${other.text}`);
      }
    }
  });
  // Charts may not cover texts either, but those that belong to them.
  const charts = [...document.querySelectorAll("svg")].filter((one) => one.checkVisibility());
  for (const chart of charts) {
    const area = chart.getBoundingClientRect();
    for (const { owner, text, box } of boxes) {
      const wide = Math.min(area.right, box.right) - Math.max(area.left, box.left);
      const high = Math.min(area.bottom, box.bottom) - Math.max(area.top, box.top);
      if (wide > 2 && high > 6 && !chart.contains(owner)) overlapping.push(`chart / ${text}`);
    }
  }
  const flat = (shape) => {
    const box = shape.getBoundingClientRect();
    return box.width < 2 && box.height < 2;
  };
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    outside: boxes.filter(({ owner, box }) =>
      (box.left < -1 || box.right > innerWidth + 1) && !owner.closest(".scroll, .skip"))
      .map(({ text }) => text),
    invisible: boxes.filter(({ box }) => box.width < 1).map(({ text }) => text),
    overlapping,
    texts: boxes.length,
    charts: charts.length,
    empty: charts.filter((one) => [...one.querySelectorAll("path, polyline")].every(flat))
      .map((one) => one.outerHTML.slice(0, 200)),
    bars: [...document.querySelectorAll(".split")].filter((one) => one.checkVisibility())
      .map((one) => [...one.children].reduce((sum, part) => sum + part.offsetWidth, 0)),
  };
})()
