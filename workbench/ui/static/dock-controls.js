// What the bar's controls, the keys and the page's buttons do.
import { Drawing } from "./dock-drawing.js"
import { stored, whole } from "./dock-sounds.js"
import { SPEEDS } from "./dock-speeds.js"

const DRAG_PIXELS = 5

export class Controls extends Drawing {
  wire() {
    const { ui } = this
    ui.play.onclick = () => this.toggle()
    for (const name of ["A", "B"]) ui.slot(name).onclick = () => this.switchTo(name)
    ui.closeB.onclick = () => { this.closeB(); ui.play.focus() }
    ui.match.onclick = () => this.match()
    ui.loop.onclick = () => this.setLoop(this.transport.loop ? null : { from: 0, to: this.transport.end })
    ui.speed.onchange = () => this.setSpeed(Number(ui.speed.value))
    ui.back.onclick = () => {
      const { sound, active } = this.announced, at = this.mapped(sound)
      this.put("A", sound, active)
      this.transport.seek(at)
      ui.play.focus()
    }
    ui.more.onclick = () => this.panel(!ui.panel.classList.contains("open"))
    ui.close.onclick = () => { this.panel(false); ui.more.focus() }
    for (const button of ui.mutes) button.onclick = () => this.setVolume(this.percent, !this.muted)
    for (const input of ui.volumes) input.oninput = () => this.setVolume(input.value, false)
    this.setVolume(stored("volume", 100), stored("muted", 0) > 0)
    this.drag()
    new ResizeObserver(() => this.changed()).observe(ui.bar)
    this.hear()
    document.addEventListener("play", (event) => { if (event.target instanceof HTMLMediaElement) this.yield() }, true)
    new MutationObserver(() => this.buttons()).observe(document.body, { childList: true, subtree: true })
  }

  // The page's buttons. A table that is drawn again replaces them, also between press and release: then there is no click.
  hear() {
    const buttonOf = (event) => event.composedPath().find((node) => node instanceof HTMLElement && node.dataset.dock)
    const act = ({ dataset }) => this.press(whole(JSON.parse(dataset.dock)), dataset.dockSlot)
    let pressed = null
    document.addEventListener("pointerdown", (event) => { pressed = event.isPrimary && event.button === 0 ? buttonOf(event) : null }, true)
    document.addEventListener("pointerup", (event) => {
      const before = pressed, now = buttonOf(event)
      pressed = null
      if (now && before && !before.isConnected && now.dataset.dockKey === before.dataset.dockKey) act(now)
    }, true)
    document.addEventListener("pointercancel", () => { pressed = null }, true)
    document.addEventListener("click", (event) => { const button = buttonOf(event); if (button) act(button) })
  }

  drag() {
    const { bar } = this.ui
    let from = null
    const second = (event) => { const box = bar.getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (this.held?.length ?? 0) }
    bar.addEventListener("pointerdown", (event) => {
      if (event.button || !this.held) return
      from = { x: event.clientX, at: second(event), scrubs: event.pointerType !== "mouse" }
      bar.setPointerCapture(event.pointerId)
    })
    bar.addEventListener("pointermove", (event) => {
      if (!from || Math.abs(event.clientX - from.x) < DRAG_PIXELS) return
      from.moved = true
      if (from.scrubs) { if (!this.transport.playing) this.transport.seek(second(event)) }
      else this.sketch = { from: Math.min(from.at, second(event)), to: Math.max(from.at, second(event)) }
      this.changed()
    })
    const done = (event) => {
      if (!from) return
      const { sketch } = this, moved = from.moved && !from.scrubs
      from = this.sketch = null
      if (event.type === "pointercancel") return this.changed()
      if (!moved) return this.transport.seek(second(event))
      const to = Math.min(sketch.to, this.transport.end)
      if (to - sketch.from < 0.05) return this.changed()
      if (!this.transport.playing) this.transport.at = sketch.from
      this.setLoop({ from: sketch.from, to })
    }
    bar.addEventListener("pointerup", done)
    bar.addEventListener("pointercancel", done)
  }

  // Tell screen readers, and unless ``isQuiet`` also the eye for a while.
  say(what, isQuiet = false) {
    this.ui.status.textContent = what
    if (isQuiet) return
    this.said = what
    clearTimeout(this.unsay)
    this.unsay = setTimeout(() => { this.said = ""; this.changed() }, 4000)
  }

  act(name) {
    const t = this.transport, now = t.position()
    if (name === "keys") { this.panel(!this.ui.panel.classList.contains("open")); return !this.ui.host.hidden }
    if (!this.held) return false
    const [verb, by] = name.split(" ")
    if (verb === "by") t.seek(now + Number(by))
    else if (name === "toggle") this.toggle()
    else if (name === "stop") t.pause()
    else if (name === "back") t.playing ? t.seek(now - 5) : this.play(Math.max(0, now - 5))
    else if (name === "forward") t.playing ? t.seek(now + 5) : this.play(now)
    else if (verb === "home" || verb === "end") {
      if (name.endsWith("playing") && !t.playing) return false
      t.seek(verb === "home" ? 0 : t.end)
    } else if (name === "previous" || name === "next") {
      const k = this.part(now)
      const to = name === "next" ? this.held.starts[k + 1] ?? t.end : now - this.held.starts[k] > 0.5 ? this.held.starts[k] : this.held.starts[k - 1] ?? 0
      t.seek(to)
    } else if (name === "in") this.loopFrom(now, t.loop?.to)
    else if (name === "out") this.loopFrom(t.loop?.from ?? 0, now)
    else if (name === "no loop") {
      if (this.ui.panel.classList.contains("open")) this.panel(false)
      else if (t.loop) this.setLoop(null)
      else return false
    } else if (name === "switch") {
      if (!this.B) return false
      this.switchTo(this.slot === "A" ? "B" : "A")
    } else if (name === "slower" || name === "faster") {
      const k = SPEEDS.indexOf(Number(this.ui.speed.value)) + (name === "faster" ? 1 : -1)
      if (SPEEDS[k] !== undefined && !this.ui.speed.disabled) this.setSpeed(SPEEDS[k])
    } else if (name === "mute") this.setVolume(this.percent, !this.muted)
    return true
  }

  loopFrom(from, to) {
    const end = to !== undefined && to > from + 0.05 ? to : this.transport.end
    if (end > from + 0.05) this.setLoop({ from, to: end })
  }

  // Not kept for the next visit: what is heard then is heard as it is.
  setSpeed(speed) {
    this.ui.speed.value = speed
    this.transport.setSpeed(speed)
    this.say(speed === 1 ? "Speed 1" : `Speed ${speed}, at the same pitch`)
    this.changed()
  }

  setLoop(span) {
    this.transport.setLoop(span)
    this.say(span ? `Loop from ${span.from.toFixed(1)} to ${span.to.toFixed(1)} seconds` : "No loop")
    this.changed()
  }

  part(at) {
    const starts = this.held?.starts ?? []
    let k = 0
    while (k + 1 < starts.length && starts[k + 1] <= at + 1e-6) k++
    return k
  }

  panel(open) {
    const { panel, more, close } = this.ui
    panel.classList.toggle("open", open)
    more.setAttribute("aria-expanded", String(open))
    if (open) close.focus()
    else if (panel.contains(this.ui.root.activeElement)) more.focus()
  }
}
