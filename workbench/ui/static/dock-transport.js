// Plays the parts of a sound on one clock: without gaps, with the cross-fades of the saved audio, and in loops.
//
// A "lap" says at which time of the audio clock which second of the sound begins. A jump, a loop and a late part each
// begin a new lap. At another speed than 1, parts are stretched beforehand, and a second of the clock is ``rate``
// seconds of the sound. Parts are scheduled AHEAD seconds before they sound, so timers of a hidden page are early enough.
const AHEAD = 12
const LOOP_AHEAD = 2.5
const LEAD = 0.04
const DECLICK = 0.004

export class Transport {
  constructor(context, shelf, output, changed) {
    Object.assign(this, { context, shelf, output, changed })
    this.sound = null
    this.active = false // more parts will come
    this.loop = null // { from, to } in seconds of the sound
    this.speed = 1 // as chosen
    this.playing = false
    this.at = 0 // second of the sound while it does not play
    this.generation = 0
    this.live = []
    this.laps = []
    this.next = 0
    this.limit = 0
    this.bus = null
    setInterval(() => this.pump(), 100)
  }

  get rate() { return this.rateOf(this.sound) }

  rateOf(sound) { return sound?.blind ? 1 : this.speed } // a blind test is heard as it is

  get length() { return this.sound?.length ?? 0 }
  get made() { return this.sound?.urls.length ?? 0 }
  get end() { return this.made < (this.sound?.starts.length ?? 0) || this.active ? this.madeEnd : this.length }
  get madeEnd() { return this.made ? this.sound.starts[this.made - 1] + this.sound.seconds[this.made - 1] : 0 }

  latency() {
    const ctx = this.context()
    return ctx.outputLatency || ctx.baseLatency || 0
  }

  // Second of the sound that is heard now.
  position() {
    if (!this.playing || !this.laps.length) return this.at
    const heard = this.context().currentTime - this.latency()
    let lap = this.laps[0]
    for (const other of this.laps) if (other.at <= heard) lap = other
    const gone = (heard - lap.at) * this.rate
    const to = lap === this.laps[this.laps.length - 1] ? Math.max(this.limit, lap.from) : Infinity
    if (gone < 0) return lap.smooth ? Math.max(0, lap.from + gone) : lap.from
    return Math.min(lap.from + gone, to, lap.to)
  }

  get waiting() {
    if (!this.playing) return false
    const lap = this.laps[this.laps.length - 1]
    return !lap || (this.context().currentTime - lap.at) * this.rate + lap.from > this.limit + 0.01
  }

  // Hold another sound, or the same one with more parts or other parts.
  hold(sound, active) {
    const before = this.sound
    this.sound = sound
    this.active = active
    if (!sound || before?.key !== sound.key) {
      this.stop(0)
      this.loop = null
    } else if (this.playing) {
      const changed = before.urls.some((url, k) => k < this.next && (sound.starts[k] !== before.starts[k] || version(url) !== version(sound.urls[k])))
      if (changed) this.start(Math.min(this.position(), this.length))
      else this.pump()
    } else this.at = Math.min(this.at, Math.max(this.length, 0))
  }

  // Play another sound from a second of it, or hold it there: what A/B does.
  swap(sound, active, at) {
    this.sound = sound
    this.active = active
    if (this.playing) this.start(at, true)
    else { this.at = at; this.changed() }
  }

  setLoop(span) {
    this.loop = span
    if (this.playing) this.start(this.position(), true)
    else this.changed()
  }

  // Play faster or slower at the same pitch, from the instant that is heard, as soon as the sound for it is made.
  async setSpeed(speed) {
    const order = (this.ordered = (this.ordered ?? 0) + 1)
    if (this.playing && !this.sound?.blind) await this.prepare(this.sound, this.position(), 4, speed)
    if (order !== this.ordered) return
    const before = this.rate
    if (this.playing) {
      const at = this.position() + (LEAD + this.latency()) * (before - (this.sound?.blind ? 1 : speed))
      this.speed = speed
      if (this.rate !== before) this.start(at, true)
    } else this.speed = speed
    this.changed()
  }

  // Play from a second of the sound; ``smooth``: the clock goes on while the change is made, as if it had no delay.
  async start(from, smooth = false) {
    const ctx = this.context(), generation = ++this.generation
    if (ctx.state !== "running") {
      await Promise.race([ctx.resume(), new Promise((done) => setTimeout(done, 600))])
      if (generation !== this.generation) return
      if (ctx.state !== "running") { // the browser wants a click first
        this.playing = false
        this.changed()
        return
      }
      smooth = false
    }
    if (this.loop && (from < this.loop.from || from >= this.loop.to - 0.01)) from = this.loop.from
    else if (!this.loop && !this.active && from >= this.length - 0.02) from = 0
    const at = ctx.currentTime + LEAD
    if (smooth) from += (LEAD + this.latency()) * this.rate
    this.silence(at)
    this.bus = new GainNode(ctx)
    this.bus.connect(this.output())
    this.laps = []
    this.begin(at, from, smooth)
    this.playing = true
    this.pump()
    this.changed()
  }

  // Begin a lap: at this time of the audio clock, this second of the sound.
  begin(at, from, smooth = false) {
    const past = this.laps.findLastIndex((lap) => lap.at < this.context().currentTime - 1)
    this.laps = [...this.laps.slice(Math.max(past, 0)), { at, from, smooth, to: Infinity }]
    this.next = this.sound.starts.findIndex((s, k) => s + this.sound.seconds[k] > from)
    if (this.next < 0) this.next = this.sound.starts.length
    this.limit = from
  }

  pause() {
    const at = this.position()
    this.stop(this.loop ? at : Math.min(at, this.length))
  }

  stop(at) {
    this.generation++
    this.playing = false
    this.at = Math.max(0, at)
    this.laps = []
    this.silence()
    this.changed()
  }

  seek(to) {
    const at = Math.max(0, Math.min(to, Math.max(this.end, 0)))
    if (this.playing) this.start(at)
    else { this.at = at; this.changed() }
  }

  silence(at = 0) {
    const ctx = this.context(), when = Math.max(at, ctx.currentTime + DECLICK)
    if (this.bus) {
      this.bus.gain.setValueAtTime(1, Math.max(ctx.currentTime, when - DECLICK))
      this.bus.gain.linearRampToValueAtTime(0, when)
    }
    for (const { source } of this.live) source.stop(when + 0.002)
    this.live = []
    this.bus = null
  }

  // Schedule what sounds within the next seconds; fetch what comes after.
  pump() {
    if (!this.playing || !this.sound) return
    const ctx = this.context(), { sound, rate } = this
    for (let guard = 0; guard < 200; guard++) {
      const lap = this.laps[this.laps.length - 1], end = this.loop?.to ?? Infinity
      if (this.next >= sound.starts.length || sound.starts[this.next] >= end) {
        if (!this.loop) break
        const at = lap.at + (end - lap.from) / rate
        if (at > ctx.currentTime + LOOP_AHEAD) break
        lap.to = end
        this.cut(lap, at)
        this.begin(Math.max(at, ctx.currentTime + 0.01), this.loop.from)
        continue
      }
      const k = this.next, from = Math.max(lap.from, sound.starts[k])
      const due = lap.at + (from - lap.from) / rate
      if (due > ctx.currentTime + AHEAD) break
      if (k >= this.made) break // not made yet
      const buffer = this.shelf.get(sound, k, rate)
      if (!buffer) {
        const failed = this.shelf.problem(sound, k)
        if (failed && performance.now() - failed.at < 5000) {
          if (this.waiting) { this.problem = failed.why; this.pause() }
          break
        }
        this.shelf.load(sound, k, rate).then(() => this.pump())
        break
      }
      if (due < ctx.currentTime - 0.005) { // it came late: go on from its beginning
        lap.to = this.limit
        this.begin(ctx.currentTime + LEAD, from)
        this.next = k
      }
      this.schedule(k, buffer)
      this.next = k + 1
      const last = sound.starts[k] + sound.seconds[k]
      this.limit = this.next < sound.starts.length ? Math.max(last, sound.starts[this.next]) : this.length
    }
    this.fetchAhead()
    if (!this.loop && !this.active && this.position() >= this.end - 0.001) this.stop(this.end)
  }

  fetchAhead() {
    let seconds = 0
    for (let k = this.next; k < this.made && seconds < 2 * AHEAD; k++) {
      seconds += this.sound.seconds[k] / this.rate
      if (!this.shelf.problem(this.sound, k)) this.shelf.load(this.sound, k, this.rate)
    }
    if (this.loop) this.prepare(this.sound, this.loop.from)
  }

  // Fetch the parts of a sound around a second of it, so that playing from there begins at once.
  prepare(sound, at, seconds = 8, speed = this.rateOf(sound)) {
    const loads = []
    for (let k = 0; k < sound.urls.length; k++) {
      const start = sound.starts[k], end = start + sound.seconds[k]
      if (end > at && start < at + seconds && !this.shelf.problem(sound, k)) loads.push(this.shelf.load(sound, k, speed))
    }
    return Promise.all(loads)
  }

  schedule(k, buffer) {
    const ctx = this.context(), { sound, rate } = this, lap = this.laps[this.laps.length - 1]
    const start = lap.at + (sound.starts[k] - lap.from) / rate
    const before = k ? Math.max(0, sound.starts[k - 1] + sound.seconds[k - 1] - sound.starts[k]) / rate : 0
    const when = Math.max(start, lap.at, ctx.currentTime), offset = Math.max(0, when - start)
    if (offset >= buffer.duration) return
    const source = new AudioBufferSourceNode(ctx, { buffer }), gain = new GainNode(ctx)
    source.connect(gain).connect(this.bus)
    const previous = this.live.find((one) => one.k === k - 1 && one.lap === lap)
    if (before > 0 && previous) {
      ramp(gain.gain, 0, 1, start, start + before, when)
      ramp(previous.gain.gain, 1, 0, start, start + before, when)
    } else if (offset > 0) ramp(gain.gain, 0, 1, when, when + DECLICK, when)
    source.start(when, offset)
    const one = { k, source, gain, lap, end: when + buffer.duration - offset }
    source.onended = () => { this.live = this.live.filter((other) => other !== one) }
    this.live.push(one)
  }

  // End everything of a lap at a time of the audio clock.
  cut(lap, at) {
    for (const { source, gain } of this.live.filter((one) => one.lap === lap)) {
      try {
        gain.gain.setValueAtTime(1, at - DECLICK)
        gain.gain.linearRampToValueAtTime(0, at)
      } catch { /* it fades at that moment anyway */ }
      source.stop(at)
    }
  }
}

const version = (url) => new URLSearchParams((url ?? "").split("?")[1] ?? "").get("v") ?? url

function ramp(param, from, to, start, end, now) {
  if (end <= now) param.setValueAtTime(to, now)
  else {
    const at = Math.max(start, now)
    param.setValueAtTime(from + ((to - from) * (at - start)) / (end - start), at)
    param.linearRampToValueAtTime(to, end)
  }
}
