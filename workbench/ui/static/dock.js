// The player of all pages: what its two slots hold, what keys, buttons and pages do with it. See dock/place.py.
import { build } from "./dock-bar.js"
import { Controls } from "./dock-controls.js"
import { Figures } from "./dock-figures.js"
import { listen } from "./dock-keys.js"
import { loudness } from "./dock-levels.js"
import { Shelf } from "./dock-shelf.js"
import { store, stored, whole } from "./dock-sounds.js"
import { Transport } from "./dock-transport.js"

const REST_MS = 20_000 // without a sound, the audio device is given back

class Dock extends Controls {
  constructor() {
    super()
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

  // Nothing else sounds: neither before nor after. ---------------------------------------------------------------------

  quieten() {
    for (const media of new Set([...document.querySelectorAll("audio, video"), ...sounding])) if (!media.paused) media.pause()
  }

  // Another player of the page began.
  yield() { if (this.transport.playing) this.transport.pause() }

  idle() {
    this.follow()
    if (this.B && this.held) {
      const name = this.slot === "A" ? "B" : "A"
      if (this[name]) this.transport.prepare(this[name], this.mapped(this[name]), 4)
    }
    if (this.transport.playing) this.rested = performance.now()
    else if (this.ctx?.state === "running" && performance.now() - (this.rested ?? 0) > REST_MS) this.ctx.suspend()
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
