// One or two flows, from noise to speech: one slider moves pictures, flow time, sound, and the marks in other figures.
const LEFT = 52, RIGHT = 58, TOP = 8, BOTTOM = 38
const ZERO_DB = 160 // the byte of 0 dB
const LEAST_MS = 220 // for a state, while they play
const made = new WeakMap()
const player = import(new URL("/dock/dock.js", location.href).href)
let current = null // the stage of the page

// figures of the page are drawn later than the stage, and again
import(new URL("/dock/figure-events.js", location.href).href).then(({ eachFigure }) => eachFigure((graph) => {
  graph.on("plotly_afterplot", () => current?.mark())
  current?.mark()
}))

const mel = (hz) => 2595 * Math.log10(1 + hz / 700)
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

class Stage {
  constructor(root) {
    this.root = root
    this.box = root.querySelector(".stage")
    this.panes = root.querySelector(".panes")
    this.range = root.querySelector("input[type=range]")
    this.said = root.querySelector("output")
    this.note = root.querySelector(".note")
    this.play = root.querySelector(".play")
    this.hearing = root.querySelector(".hear")
    this.sound = root.querySelector(".sound")
    this.timer = 0
    this.range.addEventListener("input", () => { this.stop(); this.go(Number(this.range.value)) })
    this.range.addEventListener("keydown", (event) => {
      if (event.key === " ") { event.preventDefault(); this.toggle() }
    })
    this.play.onclick = () => this.toggle()
    this.hearing.onclick = () => this.hear()
    new ResizeObserver(() => this.draw()).observe(this.box)
    this.frame = requestAnimationFrame(() => this.follow())
  }

  // What the page says: pictures, and sounds as they come.
  take(data) {
    const about = JSON.parse(data.about)
    const isNew = about.id !== this.about?.id || about.by_time !== this.about?.by_time
    this.about = about
    if (isNew) {
      this.stop()
      this.at = 0
      this.opened = false
      this.pictures = data.pictures.map(bytes)
      this.build()
    }
    this.range.max = this.places().length - 1
    this.style = getComputedStyle(this.root.host ?? this.box)
    this.go(Math.min(this.at, this.places().length - 1), false)
    const missing = about.flows.some((flow) => flow.sounds.some((sound) => !sound))
    this.hearing.disabled = !this.heardNow()
    this.note.textContent = missing && about.flows.every((flow) => flow.sounds.filter(Boolean).length < 2)
      ? "The sound of the steps is being made, or was not asked for; the last step is the chunk itself." : ""
  }

  // The positions of the slider: flow times, or numbers of steps; of two flows, those of both.
  places() {
    const lists = this.about.flows.map((flow) => (this.about.by_time ? flow.times : flow.steps))
    return [...new Set(lists.flat())].sort((a, b) => a - b)
  }

  // The state of a flow at a position: the last one that it has reached.
  stateOf(flow, place) {
    const list = this.about.by_time ? flow.times : flow.steps
    let state = 0
    list.forEach((value, k) => { if (value <= place + 1e-6) state = k })
    return state
  }

  build() {
    this.panes.replaceChildren(...this.about.flows.map((flow, k) => {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption")
      const pane = document.createElement("div"), canvas = document.createElement("canvas"), head = document.createElement("div"), tip = document.createElement("div")
      if (flow.letter) { const b = document.createElement("b"); b.textContent = flow.letter; caption.append(b) }
      caption.append(flow.title)
      pane.className = "pane"; head.className = "head"; tip.className = "tip"; head.hidden = tip.hidden = true
      canvas.setAttribute("role", "img")
      canvas.addEventListener("pointermove", (event) => this.point(k, event))
      canvas.addEventListener("pointerleave", () => { tip.hidden = true })
      canvas.addEventListener("click", (event) => this.seek(k, event))
      pane.append(canvas, head, tip)
      figure.append(caption, pane)
      return figure
    }))
  }

  pane(k) {
    const figure = this.panes.children[k], canvas = figure?.querySelector("canvas")
    return canvas && { canvas, head: figure.querySelector(".head"), tip: figure.querySelector(".tip"), width: canvas.clientWidth - LEFT - RIGHT, height: canvas.clientHeight - TOP - BOTTOM }
  }

  go(at, sounds = true) {
    this.at = at
    const place = this.places()[at]
    this.states = this.about.flows.map((flow) => this.stateOf(flow, place))
    this.range.value = at
    const words = this.about.flows.map((flow, k) => `${flow.letter ? flow.letter + " " : ""}step ${flow.steps[this.states[k]]} of ${flow.n_steps}`)
    const times = [...new Set(this.about.flows.map((flow, k) => flow.times[this.states[k]].toFixed(2)))]
    const t = this.about.by_time || times.length === 1 ? `t = ${this.about.by_time ? place.toFixed(2) : times[0]}` : `t = ${times.join(" and ")}`
    this.said.textContent = `${words.join(" · ")} · ${t}`
    this.range.setAttribute("aria-valuetext", `${words.join(", ")}, ${t}`)
    this.hearing.disabled = !this.heardNow()
    this.draw()
    this.mark()
    if (sounds) this.morph()
  }

  // Sound. -------------------------------------------------------------------------------------------------------------

  get dock() { return globalThis.workbenchDock }

  // The sound of a flow's state: its own, else that of the last state before it that has one.
  soundOf(k) {
    const { sounds } = this.about.flows[k]
    for (let state = this.states[k]; state >= 0; state--) if (sounds[state]) return sounds[state]
    return null
  }

  heardNow() { return this.states && this.soundOf(0) }

  // Once, when the sounds are there: the player holds what is seen, unless it plays something.
  open() {
    if (this.opened || !this.dock || this.about.flows.some((flow) => flow.sounds.filter(Boolean).length < 2)) return
    this.opened = true
    if (!this.dock.transport.playing) this.morph()
  }

  // The page says what it shows before or after the stage has opened; a run shown later would replace the state of it.
  heed() {
    const shown = this.dock?.announced.sound
    if (!shown || !this.about || shown.key === this.shown) return
    const isFirst = !this.shown, isOfThese = this.about.flows.some((flow) => flow.sounds.some((sound) => sound?.timeline === shown.timeline))
    this.shown = shown.key
    if (this.opened && (isFirst || isOfThese) && !this.dock.transport.playing) this.morph()
  }

  // Put the sounds of these states into the player at the same instant: what plays goes on in the new state.
  morph() {
    if (!this.dock || !this.sound.checked) return
    this.about.flows.forEach((flow, k) => { const sound = this.soundOf(k); if (sound) this.dock.morph("AB"[k], sound) })
  }

  hear() {
    if (!this.dock || !this.heardNow()) return
    this.about.flows.forEach((flow, k) => { const sound = this.soundOf(k); if (sound) this.dock.morph("AB"[k], sound) })
    this.dock.play(0)
  }

  // Playing the states. ------------------------------------------------------------------------------------------------

  toggle() {
    if (this.timer) return this.stop()
    const n = this.places().length, flow = this.about.flows[0]
    const isHeard = this.sound.checked && this.dock && flow.sounds.filter(Boolean).length > 1
    if (this.at >= n - 1) this.go(0)
    this.wait = Math.max(LEAST_MS, isHeard ? (1000 * flow.seconds) / n : 0)
    this.box.classList.add("playing")
    this.label("Pause")
    if (isHeard) this.hear()
    this.timer = setInterval(() => {
      if (!this.root.isConnected && !(this.root.host?.isConnected)) return this.stop()
      if (this.at >= this.places().length - 1) return this.stop()
      this.go(this.at + 1)
    }, this.wait)
  }

  stop() {
    clearInterval(this.timer)
    this.timer = 0
    this.box.classList.remove("playing")
    this.label("Play from noise to speech")
  }

  label(words) { this.play.setAttribute("aria-label", words); this.play.title = words }

  // Drawing. -----------------------------------------------------------------------------------------------------------

  draw() { this.about?.flows.forEach((flow, k) => this.paint(flow, k)) }

  paint(flow, k) {
    const pane = this.pane(k)
    if (!pane || pane.width < 20 || !this.states) return
    const { canvas, width, height } = pane, scale = devicePixelRatio || 1, { rows, low, top, palette, hz, ticks } = this.about
    canvas.width = Math.round(canvas.clientWidth * scale)
    canvas.height = Math.round(canvas.clientHeight * scale)
    const state = this.states[k], size = rows * flow.columns, levels = this.pictures[k].subarray(state * size, (state + 1) * size)
    const image = new ImageData(flow.columns, rows)
    for (let row = 0; row < rows; row++) for (let column = 0; column < flow.columns; column++) {
      const level = (levels[row * flow.columns + column] - ZERO_DB - low) / (top - low)
      const colour = 3 * Math.round(255 * Math.min(1, Math.max(0, level))), to = 4 * ((rows - 1 - row) * flow.columns + column)
      image.data.set([palette[colour], palette[colour + 1], palette[colour + 2], 255], to)
    }
    const small = new OffscreenCanvas(flow.columns, rows)
    small.getContext("2d").putImageData(image, 0, 0)
    const c = canvas.getContext("2d")
    c.setTransform(scale, 0, 0, scale, 0, 0)
    c.imageSmoothingEnabled = false
    c.drawImage(small, LEFT, TOP, width, height)
    const ink = this.style.getPropertyValue("--st-text-color") || "#333", font = this.style.getPropertyValue("--st-font") || "sans-serif"
    c.fillStyle = c.strokeStyle = ink
    const root = parseFloat(getComputedStyle(document.documentElement).fontSize)  // 14 px, 20 px for a projector
    c.font = `${Math.min(16, (12 * root) / 14)}px ${font}`
    c.textBaseline = "middle"
    c.textAlign = "right"
    for (const tick of ticks) {
      const y = TOP + height * (1 - this.rowOf(tick) / rows)
      c.fillRect(LEFT - 5, y, 4, 1)
      c.fillText(tick >= 1000 ? `${tick / 1000}k` : `${tick}`, LEFT - 8, y)
    }
    c.save(); c.translate(11, TOP + height / 2); c.rotate(-Math.PI / 2); c.textAlign = "center"; c.fillText("Hz", 0, 0); c.restore()
    c.textAlign = "center"
    c.textBaseline = "top"
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (flow.seconds / s) * 44 < width) ?? 60
    for (let t = 0; t <= flow.seconds + 1e-6; t += step) {
      const x = LEFT + (t / flow.seconds) * width
      c.fillRect(x, TOP + height, 1, 4)
      c.fillText(step < 1 ? t.toFixed(1) : `${Math.round(t)}`, x, TOP + height + 6)
    }
    c.fillText("time (s)", LEFT + width / 2, TOP + height + 22)
    this.bar(c, LEFT + width + 12, TOP + 16, Math.min(height - 20, 170), ink)
    canvas.setAttribute("aria-label", `Mel of ${flow.letter || "the chunk"} after step ${flow.steps[state]} of ${flow.n_steps}, t = ${flow.times[state].toFixed(2)}`)
  }

  // Row of a frequency, in rows from the bottom; the rows are evenly spaced in mel.
  rowOf(hz) {
    const all = this.about.hz, low = mel(all[0]), high = mel(all[all.length - 1])
    return ((mel(hz) - low) / (high - low)) * (all.length - 1) + 0.5
  }

  bar(c, x, y, height, ink) {
    const { palette, low, top } = this.about
    for (let i = 0; i < height; i++) {
      const colour = 3 * Math.round(255 * (1 - i / height))
      c.fillStyle = `rgb(${palette[colour]},${palette[colour + 1]},${palette[colour + 2]})`
      c.fillRect(x, y + i, 10, 1)
    }
    c.fillStyle = ink
    c.textAlign = "left"
    c.textBaseline = "middle"
    c.fillText("dB", x, y - 9)
    for (let value = Math.ceil(low / 20) * 20; value <= top; value += 20) c.fillText(`${value}`.replace("-", "\u2212"), x + 14, y + height * (1 - (value - low) / (top - low)))
  }

  // What the pointer is on: seconds, hertz and decibels.
  point(k, event) {
    const pane = this.pane(k), flow = this.about.flows[k], x = event.offsetX - LEFT, y = event.offsetY - TOP
    pane.tip.hidden = !(x >= 0 && x < pane.width && y >= 0 && y < pane.height)
    if (pane.tip.hidden) return
    const column = Math.min(flow.columns - 1, Math.floor((x / pane.width) * flow.columns)), row = Math.min(this.about.rows - 1, Math.floor((1 - y / pane.height) * this.about.rows))
    const level = this.pictures[k][(this.states[k] * this.about.rows + row) * flow.columns + column] - ZERO_DB
    pane.tip.textContent = `${((x / pane.width) * flow.seconds).toFixed(2)} s, ${Math.round(this.about.hz[row])} Hz, ${level} dB`.replace("-", "\u2212")
    pane.tip.style.left = `${Math.min(event.offsetX + 12, pane.canvas.clientWidth - pane.tip.offsetWidth - 4)}px`
    pane.tip.style.top = `${Math.max(0, event.offsetY - 30)}px`
  }

  seek(k, event) {
    const pane = this.pane(k), sound = this.soundOf(k), x = event.offsetX - LEFT
    if (!sound || !this.dock || x < 0 || x > pane.width) return
    this.dock.morph("AB"[k], sound)
    this.dock.seekIn(sound, sound.starts_at + (x / pane.width) * this.about.flows[k].seconds)
  }

  // The player's position over the pictures, while one of these sounds is held.
  follow() {
    const alive = this.root.host?.isConnected ?? this.root.isConnected
    if (!alive) return
    this.heed()
    const slots = this.dock?.slots() ?? []
    this.about?.flows.forEach((flow, k) => {
      const pane = this.pane(k), timeline = flow.sounds.find(Boolean)?.timeline
      const slot = slots.find((one) => one.sound.timeline === timeline)
      if (!pane) return
      const second = slot ? slot.position + slot.sound.starts_at - flow.sounds.find(Boolean).starts_at : -1
      pane.head.hidden = !(second >= 0 && second <= flow.seconds)
      pane.head.style.cssText = `left:${LEFT + (second / flow.seconds) * pane.width - 1}px;height:${pane.height}px;opacity:${slot?.isActive ? 1 : 0.45}`
    })
    this.frame = requestAnimationFrame(() => this.follow())
  }

  // Marks in the figures of the page that show the same steps: a ring at a point of a path, a line at a step or a time.
  mark() {
    for (const graph of document.querySelectorAll(".js-plotly-plot")) {
      const kind = graph.layout?.meta?.flow, full = graph._fullLayout, place = graph.querySelector(".svg-container")
      if (!kind || !full?.xaxis || !place) continue
      graph.flowMarks ??= []
      this.about.flows.forEach((flow, k) => {
        const mark = (graph.flowMarks[k] ??= document.createElement("div"))
        if (mark.parentElement !== place) place.append(mark)
        mark.setAttribute("aria-hidden", "true")
        const state = this.states[k], { xaxis, yaxis } = full, base = "position:absolute;pointer-events:none;z-index:4;"
        if (kind === "plane") {
          const trace = graph.data[k]
          if (!trace) return
          const at = graph.calcdata?.[k]?.[state]
          if (!at) return
          mark.style.cssText = `${base}left:${xaxis._offset + xaxis.l2p(at.x) - 10}px;top:${yaxis._offset + yaxis.l2p(at.y) - 10}px;width:16px;height:16px;border:2px solid ${trace.line.color};border-radius:50%`
        } else {
          const x = kind === "time" ? flow.times[state] : flow.steps[state]
          mark.style.cssText = `${base}left:${xaxis._offset + xaxis.l2p(x) - 1}px;top:${yaxis._offset}px;height:${yaxis._length}px;border-left:2px dashed ${graph.data[k]?.line?.color ?? "#12b886"}`
        }
      })
      for (const old of graph.flowMarks.splice(this.about.flows.length)) old.remove()
    }
  }
}

export default function ({ data, parentElement }) {
  if (!made.has(parentElement)) made.set(parentElement, new Stage(parentElement))
  const stage = (current = made.get(parentElement))
  stage.take(data)
  player.then(() => stage.open()) // the player's script may come later
}
