// The cursor over every Plotly figure that is bound to a sound, and clicks on it. See dock/figures.py.
import { eachFigure, onClick, plots } from "./figure-events.js"

export class Figures {
  // dock: { slots(): [{ sound, position, isActive, loop }], seekIn(sound, instant) }
  constructor(dock) {
    this.dock = dock
    this.known = new Map()
    this.wanted = false
    addEventListener("resize", () => this.look())
    eachFigure((graph) => this.adopt(graph))
    onClick(({ meta: { sound }, x }) => { if (sound?.key && x !== null) dock.seekIn(sound, sound.figure_starts_at + x) })
  }

  look() {
    if (this.wanted) return
    this.wanted = true
    requestAnimationFrame(() => { this.wanted = false; this.scan(); this.draw() })
  }

  scan() {
    for (const [graph, { layer }] of this.known) {
      const place = graph.querySelector(".svg-container")
      if (!graph.isConnected) { layer.remove(); this.known.delete(graph) }
      else if (place && layer.parentElement !== place) place.append(layer)
    }
  }

  adopt(graph) {
    const layer = document.createElement("div")
    layer.className = "dock-cursors"
    layer.setAttribute("aria-hidden", "true")
    layer.style.cssText = "position:absolute;inset:0;pointer-events:none;overflow:hidden;z-index:5"
    this.known.set(graph, { layer, lines: [] })
    for (const name of ["plotly_afterplot", "plotly_relayouting"]) graph.on(name, () => this.look())
    this.look()
  }

  draw() {
    const slots = this.dock.slots()
    for (const [graph, { layer, lines }] of this.known) {
      const bound = graph.layout?.meta?.sound
      const marks = []
      for (const slot of bound?.key ? slots : []) {
        if (slot.sound.timeline !== bound.timeline) continue
        const shift = slot.sound.starts_at - bound.figure_starts_at
        marks.push({ x: slot.position + shift, dim: !slot.isActive })
        if (slot.isActive && slot.loop) marks.push({ x: slot.loop.from + shift, to: slot.loop.to + shift })
      }
      if (!marks.some((mark) => mark.to === undefined && !mark.dim)) for (const mark of marks) mark.dim = false
      let used = 0
      for (const { xaxis, yaxis } of plots(graph)) {
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
