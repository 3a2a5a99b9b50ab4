// The cursor over every Plotly figure that is bound to a sound, and clicks on it. See dock/figures.py.
const CLICK_PIXELS = 4
const CLICK_MS = 600

export class Figures {
  // dock: { slots(): [{ sound, position, isActive, loop }], seekIn(sound, instant) }
  constructor(dock) {
    this.dock = dock
    this.known = new Map()
    this.wanted = false
    new MutationObserver(() => this.look()).observe(document.body, { childList: true, subtree: true })
    addEventListener("resize", () => this.look())
    this.look()
  }

  look() {
    if (this.wanted) return
    this.wanted = true
    requestAnimationFrame(() => { this.wanted = false; this.scan(); this.draw() })
  }

  scan() {
    for (const [graph, one] of this.known) if (!graph.isConnected) { one.layer.remove(); this.known.delete(graph) }
    for (const graph of document.querySelectorAll(".js-plotly-plot")) {
      const bound = graph.layout?.meta?.sound
      if (!bound?.key || !graph._fullLayout?._plots) continue
      if (!this.known.has(graph)) this.adopt(graph)
      const { layer } = this.known.get(graph), place = graph.querySelector(".svg-container")
      if (place && layer.parentElement !== place) place.append(layer)
    }
  }

  adopt(graph) {
    const layer = document.createElement("div")
    layer.className = "dock-cursors"
    layer.setAttribute("aria-hidden", "true")
    layer.style.cssText = "position:absolute;inset:0;pointer-events:none;overflow:hidden;z-index:5"
    this.known.set(graph, { layer, lines: [] })
    graph.on?.("plotly_afterplot", () => this.look())
    graph.on?.("plotly_relayouting", () => this.look())
    let pressed = null
    graph.addEventListener("pointerdown", (e) => {
      pressed = e.isPrimary && e.button === 0 && e.target.closest?.(".nsewdrag, .drag") ? { x: e.clientX, y: e.clientY, at: e.timeStamp } : null
    }, true)
    addEventListener("pointerup", (e) => { // Plotly covers the page while a button is down
      const from = pressed
      pressed = null
      if (!from || !graph.isConnected || e.timeStamp - from.at > CLICK_MS) return
      if (Math.hypot(e.clientX - from.x, e.clientY - from.y) <= CLICK_PIXELS) this.clicked(graph, e)
    }, true)
    addEventListener("pointercancel", () => { pressed = null }, true)
  }

  // The parts of a graph in which x is time, in pixels of its container; several subplots may share an axis.
  plots(graph) {
    return Object.values(graph._fullLayout?._plots ?? {}).filter((p) => p.xaxis?.type === "linear" && p.xaxis._length > 0)
  }

  clicked(graph, event) {
    const box = graph.querySelector(".svg-container")?.getBoundingClientRect(), bound = graph.layout?.meta?.sound
    if (!box || !bound) return
    const x = event.clientX - box.left, y = event.clientY - box.top
    const plot = this.plots(graph).find(({ xaxis, yaxis }) =>
      x >= xaxis._offset && x <= xaxis._offset + xaxis._length && y >= yaxis._offset && y <= yaxis._offset + yaxis._length)
    if (plot) this.dock.seekIn(bound, bound.figure_starts_at + plot.xaxis.p2l(x - plot.xaxis._offset))
  }

  draw() {
    const slots = this.dock.slots()
    for (const [graph, { layer, lines }] of this.known) {
      const bound = graph.layout?.meta?.sound
      if (!bound) continue
      const marks = []
      for (const slot of slots) {
        if (slot.sound.timeline !== bound.timeline) continue
        const shift = slot.sound.starts_at - bound.figure_starts_at
        marks.push({ x: slot.position + shift, dim: !slot.isActive })
        if (slot.isActive && slot.loop) marks.push({ x: slot.loop.from + shift, to: slot.loop.to + shift })
      }
      if (!marks.some((mark) => mark.to === undefined && !mark.dim)) for (const mark of marks) mark.dim = false
      let used = 0
      for (const { xaxis, yaxis } of this.plots(graph)) {
        for (const mark of marks) {
          const line = lines[used] ?? (lines[used] = layer.appendChild(document.createElement("div")))
          used += this.place(line, mark, xaxis, yaxis)
        }
      }
      for (let i = used; i < lines.length; i++) lines[i].style.display = "none"
    }
  }

  // Put one mark on one subplot; returns 0 if it lies outside of what is seen.
  place(line, mark, xaxis, yaxis) {
    const left = xaxis.l2p(mark.x), right = mark.to === undefined ? left : xaxis.l2p(mark.to)
    if (!(right >= 0 && left <= xaxis._length)) return 0
    const from = Math.max(0, left), width = mark.to === undefined ? 2 : Math.min(right, xaxis._length) - from
    const at = xaxis._offset + from - (mark.to === undefined ? 1 : 0)
    line.className = mark.to === undefined ? "dock-cursor" : "dock-span"
    line.style.cssText = `position:absolute;left:0;top:${yaxis._offset}px;height:${yaxis._length}px;width:${width}px;` +
      `transform:translateX(${at.toFixed(2)}px);` + (mark.to === undefined
        ? `background:var(--dock-cursor,#d1242f);box-shadow:0 0 0 1px var(--dock-halo,rgb(255 255 255 / .5));opacity:${mark.dim ? 0.45 : 1}`
        : "background:var(--dock-cursor,#d1242f);opacity:.13")
    return 1
  }
}
