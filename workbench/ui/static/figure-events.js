// What happens on the Plotly figures of the page, on those that are there and on those that come.
// A redraw replaces a figure by another element, at any moment: between a press and its release, or just before a press.
// So presses are heard at the document, and what a press points at is read at once, from the figure that was pressed.
const CLICK_PIXELS = 4
const DOUBLE_MS = 400 // for fingers; of a mouse, the browser counts the clicks
const DOUBLE_PIXELS = 12
const known = new Set()
const adopters = new Set(), takers = new Set()
let pressed = null, last = null, isWanted = false

// Call `adopt` with every figure as soon as it is drawn, once for each.
export function eachFigure(adopt) {
  adopters.add(adopt)
  for (const graph of known) if (graph.isConnected) adopt(graph)
  scan()
  return () => adopters.delete(adopt)
}

// Call `take` with every click: { graph, meta, x, isDouble }. `x` is what the x axis says there, if it is a plain number.
export function onClick(take) {
  takers.add(take)
  return () => takers.delete(take)
}

// The figures that are drawn now.
export const figures = () => [...known].filter((graph) => graph.isConnected)

// The parts of a figure in which x is a plain number, in pixels of its container; several subplots may share an axis.
export const plots = (graph) =>
  Object.values(graph._fullLayout?._plots ?? {}).filter((plot) => plot.xaxis?.type === "linear" && plot.xaxis._length > 0)

function scan() {
  for (const graph of known) if (!graph.isConnected) known.delete(graph)
  for (const graph of document.querySelectorAll(".js-plotly-plot")) {
    if (known.has(graph) || !graph.on || !graph._fullLayout?._plots) continue
    known.add(graph)
    for (const adopt of adopters) adopt(graph)
  }
}

function valueAt(graph, event) {
  const box = graph.querySelector(".svg-container")?.getBoundingClientRect()
  if (!box) return null
  const x = event.clientX - box.left, y = event.clientY - box.top
  const within = (axis, at) => at >= axis._offset && at <= axis._offset + axis._length
  const plot = plots(graph).find(({ xaxis, yaxis }) => within(xaxis, x) && within(yaxis, y))
  return plot ? plot.xaxis.p2l(x - plot.xaxis._offset) : null
}

const isNear = (a, b, pixels) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) <= pixels

addEventListener("pointerdown", (event) => {
  scan() // a drag that begins now is heard at its end
  const graph = event.isPrimary && event.button === 0 && event.target.closest?.(".nsewdrag, .drag") && event.target.closest(".js-plotly-plot")
  pressed = graph ? { event, count: 1, said: { graph, meta: graph.layout?.meta ?? {}, x: valueAt(graph, event) } } : null
}, true)
addEventListener("mousedown", (event) => { if (pressed) pressed.count = event.detail }, true)
addEventListener("wheel", scan, { capture: true, passive: true })
addEventListener("pointerup", (event) => { // Plotly covers the page while a button is down
  const from = pressed
  pressed = null
  if (!from || !isNear(event, from.event, CLICK_PIXELS)) return
  const isSecond = last && event.timeStamp - last.timeStamp < DOUBLE_MS && isNear(event, last, DOUBLE_PIXELS)
  const isDouble = from.count === 2 || (from.count < 2 && Boolean(isSecond))
  last = isDouble ? null : event
  for (const take of takers) take({ ...from.said, isDouble })
}, true)
addEventListener("pointercancel", () => { pressed = null }, true)

new MutationObserver(() => {
  if (isWanted) return
  isWanted = true
  requestAnimationFrame(() => { isWanted = false; scan() })
}).observe(document.body, { childList: true, subtree: true })
scan()
