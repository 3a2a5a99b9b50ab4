// Listen to a figure of the page: a span that is dragged, a zoom, a click; and save it as SVG or PNG.
// The same script serves two elements: one for spans and zooms, one for clicks, which also marks its moment.
const CLICK_PIXELS = 4
const DOUBLE_MS = 400
const UNTOLD_MS = 10000 // what was done longer ago is not meant any more
const known = new WeakMap() // graph to what listens to it now

const graphOf = (selector) => document.querySelector(`${selector} .js-plotly-plot`)

function timeAxis(graph) { return graph._fullLayout?.xaxis }

// The part of the frequency axis that is shown, from 0 to 1, if it has just changed: its rows are categories.
function band(graph, names) {
  const changed = names.map((name) => /^(yaxis\d*)\.range/.exec(name)?.[1])
  const axis = changed.map((name) => name && graph._fullLayout[name]).find((one) => one?.type === "category")
  return axis ? axis.range.map((row) => (row + 0.5) / axis._categories.length) : []
}

function adopt(graph) {
  const one = { roles: {}, untold: {} }
  known.set(graph, one)
  const tell = (name, value) => {
    const role = Object.values(one.roles).find((other) => other.data.listens.includes(name))
    if (role) role.set(name, value)
    else one.untold[name] = { value, since: performance.now() } // nobody listens while the page is drawn again
  }
  let waiting = 0
  const view = (range) => { if (range.some((at) => !Number.isFinite(at))) return; clearTimeout(waiting); waiting = setTimeout(() => tell("view", range), 200) }
  graph.on("plotly_selected", (event) => {
    const axis = Object.keys(event?.range ?? {}).find((name) => name[0] === "x")
    if (!axis) return
    const [from, to] = [...event.range[axis]].sort((a, b) => a - b)
    if (to - from > 0.004) tell("span", [from, to])
    globalThis.Plotly?.relayout(graph, { selections: [] }) // the page shades the span in every panel
  })
  graph.on("plotly_relayout", (event) => {
    const names = Object.keys(event ?? {}), low = names.find((name) => /^xaxis\d*\.range\[0\]$/.test(name))
    const whole = names.find((name) => /^xaxis\d*\.range$/.test(name))
    if (names.some((name) => /^xaxis\d*\.autorange$/.test(name))) view([])
    else if (whole) view(event[whole])
    else if (low) view([event[low], event[low.replace("[0]", "[1]")], ...band(graph, names)])
    else if (band(graph, names).length) view([...timeAxis(graph).range, ...band(graph, names)])
  })
  graph.on("plotly_afterplot", () => mark(graph))
  let pressed = null, before = 0
  graph.addEventListener("pointerdown", (event) => {
    pressed = event.isPrimary && event.button === 0 && event.target.closest?.(".nsewdrag, .drag") ? event : null
  }, true)
  addEventListener("pointerup", (event) => {
    const from = pressed
    pressed = null
    if (!from || !graph.isConnected || Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > CLICK_PIXELS) return
    const axis = timeAxis(graph), box = graph.querySelector(".svg-container").getBoundingClientRect()
    if (event.timeStamp - before < DOUBLE_MS) view([])
    else if (axis) tell("at", axis.p2l(event.clientX - box.left - axis._offset))
    before = event.timeStamp
  }, true)
  return one
}

// A dashed line at the moment of the slice, from the top to the foot of the figure.
function mark(graph) {
  const one = known.get(graph), at = Object.values(one?.roles ?? {}).find((role) => role.data.at != null)?.data.at
  const axis = timeAxis(graph), place = graph.querySelector(".svg-container")
  if (!one || !axis || !place) return
  one.line ??= document.createElement("div")
  if (one.line.parentElement !== place) place.append(one.line)
  const size = graph._fullLayout._size, x = at == null ? -1 : axis.l2p(at)
  one.line.hidden = !(x >= 0 && x <= axis._length)
  one.line.setAttribute("aria-hidden", "true")
  one.line.className = "look-moment"
  one.line.style.cssText = `position:absolute;pointer-events:none;z-index:4;width:0;left:${axis._offset + x - 1}px;` +
    `top:${size.t - 6}px;height:${size.h + 6}px;border-left:2px dashed #12b886;mix-blend-mode:normal`
}

async function save(graph, format, data, root) {
  const colours = getComputedStyle(root.host ?? root), background = colours.getPropertyValue("--st-background-color").trim() || "#fff"
  const layout = { ...graph.layout, paper_bgcolor: background, plot_bgcolor: background }
  const options = { format, filename: data.name, width: graph.offsetWidth, height: graph.offsetHeight, scale: format === "png" ? 2 : 1 }
  await globalThis.Plotly.downloadImage({ data: graph.data, layout, config: { displayModeBar: false } }, options)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const mine = { data, set: setTriggerValue }
  const attach = () => {
    const graph = graphOf(data.figure)
    if (!graph?.on || !graph._fullLayout) return false
    const one = known.get(graph) ?? adopt(graph)
    one.roles[data.role] = mine
    for (const name of data.listens.filter((other) => other in one.untold)) {
      const { value, since } = one.untold[name]
      delete one.untold[name]
      if (performance.now() - since < UNTOLD_MS) setTriggerValue(name, value)
    }
    mark(graph)
    return true
  }
  // the figure may be drawn later than this element, or again
  const look = setInterval(attach, 400)
  attach()
  parentElement.querySelector(".tools").hidden = !data.name
  for (const button of parentElement.querySelectorAll("button")) {
    button.onclick = () => {
      const graph = graphOf(data.figure)
      if (graph && globalThis.Plotly) save(graph, button.dataset.format, data, parentElement)
    }
  }
  return () => {
    clearInterval(look)
    const one = known.get(graphOf(data.figure))
    if (one?.roles[data.role] === mine) delete one.roles[data.role] // not that of a later drawing
  }
}
