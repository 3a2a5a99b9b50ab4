// The player of all pages: what its two slots hold, what keys, buttons and pages do with it. See dock/place.py.
import { build, paint } from "./dock-bar.js"
import { Figures } from "./dock-figures.js"
import { listen } from "./dock-keys.js"
import { loudness } from "./dock-levels.js"
import { Shelf } from "./dock-shelf.js"
import { Transport } from "./dock-transport.js"

const DRAG_PIXELS = 5
const REST_MS = 20_000 // without a sound, the audio device is given back

class Dock {
  constructor() {
    this.A = this.B = null
    this.slot = "A"
    this.announced = { sound: null, active: false }
    this.seconds = new Map() // part of a page that showed a sound: key of the second one beside it
    this.started = new Set() // what played by itself: keys of runs, and orders of pages
    this.gains = { A: 0, B: 0 } // dB, when levels are matched
    this.colours = ["#2f72c4"]
    this.peak = 0
    this.said = ""
    this.problem = ""
    this.ui = build()
    this.shelf = new Shelf(() => this.context(), () => this.changed())
    this.transport = new Transport(() => this.context(), this.shelf, () => this.nodes[this.slot], () => this.changed())
    this.figures = new Figures(this)
    this.wire()
    listen((name) => this.act(name), this.ui.host)
    setInterval(() => this.idle(), 500)
    this.changed()
  }

  // The audio graph: each slot's level, the meter, the volume. ---------------------------------------------------------

  context() {
    if (!this.ctx) {
      this.ctx = new AudioContext({ latencyHint: "interactive" })
      this.analyser = new AnalyserNode(this.ctx, { fftSize: 1024 })
      this.volume = new GainNode(this.ctx)
      this.analyser.connect(this.volume).connect(this.ctx.destination)
      this.nodes = {}
      for (const name of ["A", "B"]) {
        this.nodes[name] = new GainNode(this.ctx)
        this.nodes[name].connect(this.analyser)
      }
      this.setVolume(stored("volume", 100), stored("muted", 0) > 0)
    }
    return this.ctx
  }

  setVolume(percent, muted) {
    this.percent = Math.min(100, Math.max(0, Number(percent)))
    this.muted = muted
    if (this.volume) this.volume.gain.value = muted ? 0 : (this.percent / 100) ** 2
    store("volume", this.percent)
    store("muted", muted ? 1 : 0)
    for (const input of this.ui.volumes) {
      input.value = this.percent
      input.setAttribute("aria-valuetext", muted ? "muted" : `${this.percent} percent`)
    }
    for (const button of this.ui.mutes) {
      button.setAttribute("aria-pressed", String(muted))
      this.ui.set(button, muted ? "mute" : "loud")
    }
  }

  // What pages say. ----------------------------------------------------------------------------------------------------

  receive(data, parent) {
    if (data.colours) {
      this.colours = data.colours
      this.follow(parent)
    }
    if (data.show) this.announce(data)
    if (data.play && !this.started.has(data.order)) {
      this.started.add(data.order)
      const sound = whole(data.play)
      this.slot = data.slot
      this.put(data.slot, sound, this.isActive(sound))
      this.play(0) // also if it is held already
    }
  }

  // A page shows this sound. It replaces another one, but does not interrupt what plays of the same timeline: a chunk
  // on one page and its run on the next are one recording.
  announce({ show, second, active, autoplay, by }) {
    const before = this.announced, sound = whole(show)
    const isNew = before.sound?.key !== sound.key
    const isOther = isNew && before.sound && before.sound.timeline !== sound.timeline
    this.announced = { sound, active }
    if (isNew && !(this.transport.playing && this.held?.timeline === sound.timeline)) {
      const at = this.slot === "A" && this.held?.timeline === sound.timeline ? this.mapped(sound) : 0
      this.put("A", sound, active)
      if (this.slot === "A" && at) this.transport.seek(at)
    } else if (this.A?.key === sound.key) this.put("A", sound, active)
    this.announceSecond(by ?? sound.key, second && whole(second), isOther)
    if (autoplay && !this.started.has(sound.key)) {
      this.started.add(sound.key)
      this.slot = "A"
      this.put("A", sound, active)
      this.play(0)
    }
    this.transport.prepare(sound, 0, 20)
    this.changed()
  }

  // A page that shows no second sound closes only one that it, or the page of another run, has shown before.
  announceSecond(by, second, isOther) {
    const shown = isOther ? [...this.seconds.values()] : [this.seconds.get(by)]
    if (isOther) this.seconds.clear()
    if (second) {
      if (this.seconds.get(by) !== second.key || this.B?.key === second.key) this.put("B", second, false)
      this.seconds.set(by, second.key)
    } else {
      if (this.B && shown.includes(this.B.key)) this.closeB()
      this.seconds.delete(by)
    }
  }

  put(name, sound, active) {
    const changes = this[name]?.key !== sound.key
    this[name] = sound
    if (changes) this.unmatch()
    if (sound.blind && this.B && name === "A") this.closeB()
    if (this.slot === name) this.transport.hold(sound, active)
  }

  get held() { return this[this.slot] }

  isActive(sound) { return sound?.key === this.announced.sound?.key && this.announced.active }

  // What visitors do. --------------------------------------------------------------------------------------------------

  // A button of the page: play this sound in this slot, or pause it. While something plays, B begins at its instant.
  press(sound, slot) {
    if (slot === "B" && !this.A) slot = "A"
    const isHeld = this[slot]?.key === sound.key, { playing } = this.transport
    if (isHeld && this.slot === slot) {
      this.put(slot, sound, this.isActive(sound))
      return this.toggle()
    }
    if (!playing || (slot === "A" && !isHeld)) {
      this.slot = slot
      this.put(slot, sound, this.isActive(sound))
      return this.play(0)
    }
    if (!isHeld) this.unmatch()
    this.transport.prepare(sound, this.mapped(sound), 4).then(() => {
      if (!this.transport.playing) return
      const at = this.mapped(sound)
      this[slot] = sound
      this.slot = slot
      this.transport.loop = null
      this.transport.swap(sound, this.isActive(sound), at)
    })
  }

  play(from) {
    if (!this.held) return
    this.quieten()
    this.problem = ""
    this.transport.start(from)
  }

  toggle() {
    if (!this.held) return
    if (this.transport.playing) this.transport.pause()
    else this.play(this.transport.position())
  }

  // Second of a sound that lies at the instant which is heard now; 0 if there is none.
  mapped(sound) {
    const from = this.held, at = this.transport.position()
    if (!from || !sound) return 0
    const there = from.timeline === sound.timeline ? at + from.starts_at - sound.starts_at : at
    return there < 0 || there >= sound.length ? 0 : there
  }

  switchTo(name) {
    if (name === this.slot || !this[name]) return
    const at = this.mapped(this[name])
    this.slot = name
    const { loop } = this.transport
    if (loop && loop.to > this[name].length) this.transport.loop = null
    this.transport.swap(this[name], this.isActive(this[name]), at)
    this.say(`${name}: ${this[name].title}`, true)
  }

  // Put a sound into a slot at the same instant, and play on if it plays: states of a flow are heard one after another.
  morph(name, sound) {
    const at = this[name]?.timeline === sound.timeline && this.slot === name ? this.transport.position() : 0
    this[name] = whole(sound)
    if (this.slot === name) this.transport.swap(this[name], false, at < sound.length ? at : 0)
    else this.transport.prepare(this[name], 0)
    this.changed()
  }

  closeB() {
    if (this.slot === "B") this.switchTo("A")
    this.B = null
    this.unmatch()
    this.changed()
  }

  // A click on a figure: hear this instant of its timeline, in what is held if it lies there.
  seekIn(bound, instant) {
    const fits = (sound) => sound && sound.timeline === bound.timeline && instant >= sound.starts_at - 1e-3 && instant < sound.starts_at + sound.length
    let slot = [this.slot, "A", "B"].find((name) => fits(this[name]))
    if (!slot) {
      slot = "A"
      this.slot = "A"
      this.put("A", whole(bound), this.isActive(bound))
    } else if (slot !== this.slot) {
      this.slot = slot
      this.transport.sound = this[slot]
    }
    const at = Math.max(0, instant - this[slot].starts_at)
    if (this.transport.loop && (at < this.transport.loop.from || at > this.transport.loop.to)) this.transport.loop = null
    this.play(Math.min(at, Math.max(this.transport.end - 0.03, 0)))
  }

  async match() {
    if (this.gains.A || this.gains.B || !this.B) return this.unmatch()
    const pair = [this.A, this.B], found = await Promise.all(pair.map((sound) => loudness(sound, this.shelf)))
    if (pair[0] !== this.A || pair[1] !== this.B) return
    if (found.includes(null)) return this.say("One of the two is silent: levels cannot be matched.")
    const target = Math.min(...found)
    this.gains = { A: target - found[0], B: target - found[1] }
    this.matched = true
    this.level()
    const name = found[0] > found[1] ? "A" : "B"
    this.say(`Levels are matched: ${name} ${this.gains[name].toFixed(1)} dB`)
    this.changed()
  }

  unmatch() {
    this.gains = { A: 0, B: 0 }
    this.matched = false
    this.level()
  }

  level() {
    for (const name of ["A", "B"]) this.nodes?.[name].gain.setTargetAtTime(10 ** (this.gains[name] / 20), this.ctx.currentTime, 0.01)
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
    } else if (name === "mute") this.setVolume(this.percent, !this.muted)
    return true
  }

  loopFrom(from, to) {
    const end = to !== undefined && to > from + 0.05 ? to : this.transport.end
    if (end > from + 0.05) this.setLoop({ from, to: end })
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

  // Nothing else sounds: neither before nor after. ---------------------------------------------------------------------

  quieten() {
    for (const media of new Set([...document.querySelectorAll("audio, video"), ...sounding])) if (!media.paused) media.pause()
  }

  // Drawing. -----------------------------------------------------------------------------------------------------------

  wire() {
    const { ui } = this
    ui.play.onclick = () => this.toggle()
    for (const name of ["A", "B"]) ui.slot(name).onclick = () => this.switchTo(name)
    ui.closeB.onclick = () => { this.closeB(); ui.play.focus() }
    ui.match.onclick = () => this.match()
    ui.loop.onclick = () => this.setLoop(this.transport.loop ? null : { from: 0, to: this.transport.end })
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
    document.addEventListener("click", (event) => {
      const button = event.composedPath().find((node) => node instanceof HTMLElement && node.dataset.dock)
      if (button) this.press(whole(JSON.parse(button.dataset.dock)), button.dataset.dockSlot)
    })
    document.addEventListener("play", (event) => { if (event.target instanceof HTMLMediaElement) this.yield() }, true)
    new MutationObserver(() => this.buttons()).observe(document.body, { childList: true, subtree: true })
  }

  // Another player of the page began.
  yield() { if (this.transport.playing) this.transport.pause() }

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

  // Something other than the position changed.
  changed() {
    const { ui, transport, held } = this
    if (!ui || !transport || !this.figures) return
    ui.host.hidden = !held
    ui.measure()
    if (transport.problem) { this.problem = `This sound cannot be fetched: ${transport.problem}.`; transport.problem = "" }
    if (held) {
      ui.title.innerHTML = ""
      const words = document.createElement(this.B ? "b" : "span")
      words.textContent = held.title
      ui.title.append(words)
      ui.title.title = held.title
      ui.slots.hidden = ui.match.hidden = ui.closeB.hidden = !this.B
      for (const name of ["A", "B"]) {
        const button = ui.slot(name)
        button.setAttribute("aria-pressed", String(this.slot === name))
        button.setAttribute("aria-label", `Hear ${name}: ${this[name]?.title ?? ""}`)
        button.title = `${name}: ${this[name]?.title ?? ""} (X switches)`
      }
      ui.match.setAttribute("aria-pressed", String(!!this.matched))
      ui.match.setAttribute("aria-label", this.matched ? `Levels matched: A ${this.gains.A.toFixed(1)} dB, B ${this.gains.B.toFixed(1)} dB` : "Match the levels of A and B")
      ui.match.innerHTML = this.matched ? `${Math.min(this.gains.A, this.gains.B).toFixed(1).replace("-", "−")}&thinsp;dB` : "=&thinsp;dB"
      const home = this.announced.sound
      ui.back.hidden = !(home && this.slot === "A" && this.A.key !== home.key)
      ui.back.textContent = `↩ ${home?.title ?? ""}`
      ui.back.title = `Back to: ${home?.title ?? ""}`
      ui.back.setAttribute("aria-label", ui.back.title)
      const { loop } = transport
      ui.loop.setAttribute("aria-pressed", String(!!loop))
      ui.loop.title = loop ? `Loop ${loop.from.toFixed(1)} to ${loop.to.toFixed(1)} s; press to end it` : "Loop all; drag on the bar, or I and O, for a span"
      const style = getComputedStyle(ui.host)
      paint(ui.canvas, held, {
        made: held.urls.length, envelope: (k) => this.shelf.envelope(held, k), colours: this.colours, loop: this.sketch ?? loop,
        ink: style.getPropertyValue("--text") || "#000", grey: style.getPropertyValue("--muted") || "#888",
      })
    }
    this.buttons()
    this.frame()
  }

  // Draw the position; again at every frame while it plays.
  frame() {
    cancelAnimationFrame(this.next)
    const { ui, transport: t, held } = this
    if (!held) return this.figures.draw()
    const now = t.position(), length = Math.max(held.length, 0.001), n = held.starts.length
    const state = t.waiting ? "waiting" : t.playing ? "playing" : held.urls.length ? "paused" : "empty"
    ui.head.style.transform = `translateX(${((now / length) * ui.bar.clientWidth).toFixed(2)}px)`
    const shown = `${now.toFixed(1)} / ${held.length.toFixed(1)} s`
    if (this.shown !== shown) {
      ui.time.textContent = this.shown = shown
      if (held.length >= 300) {
        const small = document.createElement("small")
        small.textContent = `${clock(now)} / ${clock(held.length)}`
        ui.time.append(small)
      }
      const chunk = n > 1 ? `, chunk ${held.first + this.part(now) + 1} of ${n}` : ""
      ui.bar.setAttribute("aria-valuemax", held.length.toFixed(1))
      ui.bar.setAttribute("aria-valuenow", now.toFixed(1))
      ui.bar.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds of ${held.length.toFixed(1)}${chunk}`)
    }
    const line = this.problem || (state === "waiting" && this.isActive(held) ? `waiting for chunk ${held.urls.length + 1}`
      : state === "waiting" ? "loading" : state === "empty" ? "no chunk yet" : this.said)
    if (ui.state.textContent !== line) ui.state.textContent = line
    ui.state.classList.toggle("bad", !!this.problem)
    if (this.state !== state) {
      this.state = state
      ui.set(ui.play, t.playing ? "pause" : "play")
      ui.play.setAttribute("aria-label", t.playing ? "Pause" : "Play")
      ui.play.title = t.playing ? "Pause (Space)" : "Play (Space)"
      this.buttons()
    }
    ui.play.disabled = state === "empty" && !this.isActive(held)
    this.meter()
    Object.assign(ui.host.dataset, { state, position: now.toFixed(3), key: held.key, slot: this.slot, peak: this.peak.toFixed(4),
      ready: held.urls.length, second: this.B?.key ?? "", loop: t.loop ? `${t.loop.from.toFixed(2)} ${t.loop.to.toFixed(2)}` : "" })
    this.figures.draw()
    if (t.playing) this.next = requestAnimationFrame(() => this.frame())
  }

  meter() {
    const { ui, held } = this
    let level = 0
    if (this.transport.playing && this.analyser) {
      this.samples ??= new Float32Array(this.analyser.fftSize)
      this.analyser.getFloatTimeDomainData(this.samples)
      for (const s of this.samples) level = Math.max(level, Math.abs(s))
    }
    this.peak = Math.max(level, this.peak * (this.transport.playing ? 0.93 : 0))
    const decibels = Math.max(-60, 20 * Math.log10(Math.max(this.peak, 1e-3)))
    ui.meter.style.visibility = held.blind ? "hidden" : ""
    ui.level.style.width = held.blind ? "0" : `${((decibels + 60) / 0.6).toFixed(1)}%`
    ui.level.className = decibels > -0.1 ? "clip" : decibels > -6 ? "high" : ""
    const told = Math.round(decibels)
    if (told !== this.told) {
      this.told = told
      ui.meter.setAttribute("aria-valuenow", told)
      ui.meter.setAttribute("aria-valuetext", `${told} decibels`)
      ui.meter.title = `Peak ${told} dB of full scale`
    }
  }

  // Mark the page's buttons of what is held and of what plays.
  buttons() {
    if (this.marking) return
    this.marking = requestAnimationFrame(() => {
      this.marking = 0
      for (const button of document.querySelectorAll("[data-dock-key]")) {
        const slot = button.dataset.dockSlot, isHeld = this[slot]?.key === button.dataset.dockKey
        const plays = isHeld && this.slot === slot && this.transport.playing
        button.classList.toggle("is-held", isHeld)
        button.classList.toggle("is-playing", plays)
        if (button.getAttribute("aria-pressed") !== String(plays)) button.setAttribute("aria-pressed", String(plays))
      }
    })
  }

  idle() {
    this.follow()
    if (this.B && this.held) {
      const name = this.slot === "A" ? "B" : "A"
      if (this[name]) this.transport.prepare(this[name], this.mapped(this[name]), 4)
    }
    if (this.transport.playing) this.rested = performance.now()
    else if (this.ctx?.state === "running" && performance.now() - (this.rested ?? 0) > REST_MS) this.ctx.suspend()
  }

  // Take the colours of the page's theme from an element of it, now and whenever they change.
  follow(parent) {
    if (parent) this.parent = parent
    const from = this.parent?.host ?? this.parent
    if (!from?.isConnected) return
    const style = getComputedStyle(from), get = (name) => style.getPropertyValue(`--st-${name}`).trim()
    const theme = ["background-color", "secondary-background-color", "text-color", "border-color", "primary-color", "font"].map(get)
    const key = theme.join("|")
    if (key === this.theme || !theme[0]) return
    this.theme = key
    const [background, secondary, text, border, accent, font] = theme, dark = luminance(background) < 0.4
    const set = { background, secondary, text, accent, font, border: border || secondary, "on-accent": luminance(accent) > 0.18 ? "#000" : "#fff",
      "accent-text": dark ? "#62a8f5" : "#0b5cad", muted: dark ? "#a8b3bf" : "#566270", bad: dark ? "#ff8f86" : "#b3261e" }
    for (const [name, value] of Object.entries(set)) this.ui.host.style.setProperty(`--${name}`, value)
    document.documentElement.style.setProperty("--dock-accent", set["accent-text"])
    document.documentElement.style.setProperty("--dock-cursor", dark ? "#ff5c5c" : "#d1242f")
    this.changed()
  }

  // For figures: what both slots hold, and where they are.
  slots() {
    const found = []
    for (const name of ["A", "B"]) {
      const sound = this[name], isActive = this.slot === name
      if (!sound) continue
      const position = isActive ? this.transport.position() : this.mapped(sound)
      found.push({ sound, position, isActive, loop: isActive ? this.transport.loop : null })
    }
    return found
  }
}

// A sound with complete addresses.
const whole = (sound) => (sound.base ? { ...sound, base: "", urls: sound.urls.map((url) => sound.base + url) } : sound)

const clock = (s) => {
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60), two = (n) => String(n).padStart(2, "0")
  return h ? `${h}:${two(m)}:${two(Math.floor(s % 60))}` : `${m}:${two(Math.floor(s % 60))}`
}

function luminance(colour) {
  const c = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  c.fillStyle = colour
  c.fillRect(0, 0, 1, 1)
  const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function stored(name, otherwise) {
  try { return Number(localStorage.getItem(`dock-${name}`) ?? otherwise) } catch { return otherwise }
}

function store(name, value) {
  try { localStorage.setItem(`dock-${name}`, value) } catch { /* private windows may refuse it */ }
}

// Some players are no elements of the page, such as that of a recording just made: hear of their start all the same.
const sounding = new Set()
const start = HTMLMediaElement.prototype.play
HTMLMediaElement.prototype.play = function () {
  sounding.add(this)
  this.addEventListener("pause", () => sounding.delete(this), { once: true })
  globalThis.workbenchDock?.yield()
  return start.apply(this)
}

export const dock = (globalThis.workbenchDock ??= new Dock())
