// Draws a matrix of percentages as one picture: a cell is a pixel, scaled. Texts are set as text only.
const STOPS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
const GAP = 5, THICK = 14, LEFT = 120, TOP = 24;

function colour(percent) {
  const at = (percent / 100) * (STOPS.length - 1), low = Math.min(Math.floor(at), STOPS.length - 2), part = at - low;
  return STOPS[low].map((value, n) => Math.round(value + (STOPS[low + 1][n] - value) * part));
}

function picture(values, columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  values.forEach((percent, n) => { if (percent >= 0) image.data.set([...colour(percent), 255], 4 * n); });
  context.putImageData(image, 0, 0);
  return canvas;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const canvas = parentElement.querySelector("canvas"), note = parentElement.querySelector(".note");
  const rows = data.problems.length, columns = data.columns.length;
  const wide = () => Math.max(canvas.clientWidth - LEFT - GAP - THICK, 50), high = data.height;
  parentElement.querySelector(".none").hidden = !data.shares.some((share) => share < 0);
  canvas.style.height = `${TOP + THICK + GAP + high}px`;
  const draw = () => {
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.imageSmoothingEnabled = false;
    context.font = "11px sans-serif";
    context.fillStyle = getComputedStyle(canvas).color;
    context.drawImage(picture(data.means, columns, 1), LEFT, TOP, wide(), THICK);
    context.drawImage(picture(data.shares, columns, rows), LEFT, TOP + THICK + GAP, wide(), high);
    context.drawImage(picture(data.margin, 1, rows), LEFT + wide() + GAP, TOP + THICK + GAP, THICK, high);
    context.textAlign = "center";
    const every = Math.ceil((columns * 60) / wide());
    data.columns.forEach((title, n) => {
      if (n % every === 0) context.fillText(title, LEFT + ((n + 0.5) * wide()) / columns, TOP - 8, every * wide() / columns);
    });
    context.textAlign = "right";
    if (high / rows >= 9) data.labels.forEach((name, n) => {
      context.fillText(name, LEFT - 6, TOP + THICK + GAP + ((n + 0.7) * high) / rows, LEFT - 8);
    });
    else context.fillText(`${rows.toLocaleString()} questions`, LEFT - 6, TOP + THICK + GAP + 12, LEFT - 8);
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left - LEFT) / wide()) * columns);
    const row = Math.floor(((event.clientY - box.top - TOP - THICK - GAP) / high) * rows);
    return row >= 0 && row < rows && column >= 0 && column < columns ? [row, column] : null;
  };
  canvas.onmousemove = (event) => {
    const cell = at(event), share = cell && data.shares[cell[0] * columns + cell[1]];
    canvas.style.cursor = cell ? "pointer" : "default";
    note.textContent = cell
      ? `${data.names[cell[0]]}, ${data.of} ${data.columns[cell[1]]}: ${share < 0 ? "not asked, or without a verdict" : `${share} % correct`}` : "\u00a0";
  };
  canvas.onclick = (event) => { const cell = at(event); if (cell) setTriggerValue("picked", cell); };
  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  draw();
  return () => observer.disconnect();
}
