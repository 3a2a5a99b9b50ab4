// Tell the page what is done on its figure: a span that is dragged, a zoom, a click; and save it as SVG or PNG.
// The same script serves two elements: one for spans and zooms, one for clicks, which also marks its moment.
// The figure and what it is of are known by `of`, which the figure carries, as both are drawn again and again.
const VIEW_MS = 200 // zooming by degrees is told at its end
const FLUSH_MS = 20 // Streamlit sends what is said within one turn as of one fragment
const ready = import(new URL("/dock/figure-events.js", location.href).href)
const roles = new Map() // widget key to the element as it was last drawn
const untold = new Map() // what was done while the element that tells it was not there
const lines = new WeakMap() // figure to the line at the moment
const waiting = []
let count = Date.now(), delay = 0, ears = null

const subject = (graph) => graph.layout?.meta?.look

// Values are kept by the page until the next ones, so none is lost on its way; the number says which ones are new.
function tell(of, name, value) {
  const role = [...roles.values()].find(({ data }) => data.of === of && data.listens.includes(name))
  if (role) say(role, name, { n: ++count, of, value })
  else untold.set(name, { of, value })
}

function say(role, name, told) {
  waiting.push(() => role.set(name, told))
  if (waiting.length === 1) next()
}

function next() {
  waiting[0]()
  setTimeout(() => { waiting.shift(); if (waiting.length) next() }, FLUSH_MS)
}

function view(of, range) {
  if (range.some((at) => !Number.isFinite(at))) return
  clearTimeout(delay)
  delay = setTimeout(() => tell(of, "view", range), VIEW_MS)
}

// The part of the frequency axis that is shown, from 0 to 1, if it has just changed: its rows are categories.
function band(graph, names) {
  const changed = names.map((name) => /^(yaxis\d*)\.range/.exec(name)?.[1])
  const axis = changed.map((name) => name && graph._fullLayout[name]).find((one) => one?.type === "category")
  return axis ? axis.range.map((row) => (row + 0.5) / axis._categories.length) : []
}

function adopt(graph) {
  graph.on("plotly_selected", (event) => {
    const of = subject(graph), axis = Object.keys(event?.range ?? {}).find((name) => name[0] === "x")
    if (!of || !axis) return
    const [from, to] = [...event.range[axis]].sort((a, b) => a - b)
    if (to - from > 0.004) tell(of, "span", [from, to])
    if (graph.isConnected) globalThis.Plotly?.relayout(graph, { selections: [] }) // the page shades the span in every panel
  })
  graph.on("plotly_relayout", (event) => {
    const of = subject(graph), names = Object.keys(event ?? {})
    if (!of) return
    const low = names.find((name) => /^xaxis\d*\.range\[0\]$/.test(name)), whole = names.find((name) => /^xaxis\d*\.range$/.test(name))
    if (names.some((name) => /^xaxis\d*\.autorange$/.test(name))) view(of, [])
    else if (whole) view(of, event[whole])
    else if (low) view(of, [event[low], event[low.replace("[0]", "[1]")], ...band(graph, names)])
    else if (band(graph, names).length) view(of, [...graph._fullLayout.xaxis.range, ...band(graph, names)])
  })
  graph.on("plotly_afterplot", () => mark(graph))
  mark(graph)
}

// A dashed line at the moment of the slice, from the top to the foot of the figure.
function mark(graph) {
  const role = [...roles.values()].find(({ data }) => data.of === subject(graph) && data.at != null)
  const axis = graph._fullLayout?.xaxis, place = graph.querySelector(".svg-container")
  if (!role || !axis || !place) return lines.get(graph)?.remove()
  const line = lines.get(graph) ?? document.createElement("div")
  lines.set(graph, line)
  if (line.parentElement !== place) place.append(line)
  const size = graph._fullLayout._size, x = axis.l2p(role.data.at)
  line.hidden = !(x >= 0 && x <= axis._length)
  line.setAttribute("aria-hidden", "true")
  line.className = "look-moment"
  line.style.cssText = `position:absolute;pointer-events:none;z-index:4;width:0;left:${axis._offset + x - 1}px;` +
    `top:${size.t - 6}px;height:${size.h + 6}px;border-left:2px dashed #12b886;mix-blend-mode:normal`
}

async function save(graph, format, data, root) {
  const colours = getComputedStyle(root.host ?? root), background = colours.getPropertyValue("--st-background-color").trim() || "#fff"
  const layout = { ...graph.layout, paper_bgcolor: background, plot_bgcolor: background }
  const options = { format, filename: data.name, width: graph.offsetWidth, height: graph.offsetHeight, scale: format === "png" ? 2 : 1 }
  await globalThis.Plotly.downloadImage({ data: graph.data, layout, config: { displayModeBar: false } }, options)
}

// Streamlit calls this again with each change of the data, and what it returns once, when the element goes.
export default async function ({ data, parentElement, setStateValue }) {
  const events = await ready, mine = { data, set: setStateValue }
  roles.set(data.role, mine)
  if (!ears) {
    ears = events.onClick(({ meta, x, isDouble }) => {
      if (!meta.look) return
      if (isDouble) view(meta.look, [])
      else if (x !== null) tell(meta.look, "at", x)
    })
    events.eachFigure(adopt)
  }
  for (const [name, { of, value }] of [...untold]) {
    if (of === data.of && !data.listens.includes(name)) continue // another element tells it
    untold.delete(name)
    if (of === data.of) tell(of, name, value) // else it was of something that is not shown any more
  }
  events.figures().forEach(mark)
  parentElement.querySelector(".tools").hidden = !data.name
  for (const button of parentElement.querySelectorAll("button")) {
    button.onclick = () => {
      const graph = events.figures().find((one) => subject(one) === data.of)
      if (graph && globalThis.Plotly) save(graph, button.dataset.format, data, parentElement)
    }
  }
  return () => { if (roles.get(data.role) === mine) roles.delete(data.role) } // not that of a later drawing
}
