// How the bar shows what the player does, and the marks on the page's buttons.
import { paint } from "./dock-bar.js"

export class Drawing {
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
      ui.speed.disabled = !!held.blind
      ui.speed.classList.toggle("other", transport.rate !== 1)
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
    Object.assign(ui.host.dataset, { state, position: now.toFixed(3), key: held.key, slot: this.slot, rate: t.rate, peak: this.peak.toFixed(4),
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
    document.documentElement.style.setProperty("--dock-halo", dark ? "rgb(0 0 0 / .5)" : "rgb(255 255 255 / .5)")
    this.changed()
  }
}

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
