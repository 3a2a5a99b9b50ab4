// What Streamlit's and Plotly's elements lack for screen readers and fingers, added whenever the page changes.

// "Chunk size, bytes" -> "bytes"; "Dynamic range (dB)" -> "dB"; "ODE steps (nfe_step)" -> "steps"
function unitOf(label) {
  const comma = /,\s*([^\s,()]{1,12})$/.exec(label), round = /\((dB|k?Hz|m?s|%|bytes|B)\)$/.exec(label)
  return comma ? comma[1] : round ? round[1] : /\bsteps?\b/i.test(label) ? "steps" : ""
}

// the value as the page shows it with its unit, where a screen reader would say the place in a list; the name once
function tendSlider(slider) {
  const inputs = [...slider.querySelectorAll("input[type=range]")]
  const shown = [...slider.querySelectorAll("[data-testid=stSliderThumbValue]")].map((one) => one.textContent.trim())
  inputs.forEach((input, k) => {
    if (input.getAttribute("aria-label") && input.hasAttribute("aria-labelledby")) input.removeAttribute("aria-labelledby")
    const value = shown[k] || input.value, unit = unitOf(input.getAttribute("aria-label") || "")
    const [number, ...more] = value.split(" · ")
    const said = unit && !value.includes(unit) ? [`${number} ${unit}`, ...more].join(" · ") : value
    if (input.getAttribute("aria-valuetext") !== said) input.setAttribute("aria-valuetext", said)
  })
}

const chartOf = (node) => node && node.closest && node.closest("[data-testid=stPlotlyChart]")

// A finger on a figure scrolls the page, as it does beside it, until the button below the figure gives it to the figure.
function tendFigure(chart) {
  const place = chart.closest("[data-testid=stElementContainer]") || chart.parentElement
  if (place.querySelector(":scope > .wb-zoomer") || !chart.querySelector(".nsewdrag")) return
  const button = document.createElement("button")
  const show = () => {
    const on = chart.classList.contains("wb-zoom")
    button.textContent = on ? "Scroll the page again" : "Zoom in this figure"
    button.setAttribute("aria-pressed", String(on))
  }
  button.type = "button"
  button.className = "wb-zoomer"
  button.addEventListener("click", () => { chart.classList.toggle("wb-zoom"); show() })
  show()
  place.append(button)
}

// what scrolls inside the page must be reached by the keyboard, which then scrolls it
function tendScroller(box) {
  const isCut = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1
  if (isCut && !box.hasAttribute("tabindex")) box.tabIndex = 0
}

// on a phone the navigation is in the side bar too
function tendMenu() {
  const button = document.querySelector("[data-testid=stExpandSidebarButton]")
  const name = "Menu: pages, voice and settings"
  if (button && matchMedia("(max-width: 767px)").matches && button.getAttribute("aria-label") !== name) {
    button.setAttribute("aria-label", name)
  }
}

function tendNow() {
  tendMenu()
  document.querySelectorAll(".wb-scroll, .wb-text, .lab-code").forEach(tendScroller)
  document.querySelectorAll("[data-testid=stSlider]").forEach(tendSlider)
  if (matchMedia("(pointer: coarse)").matches) {
    document.querySelectorAll("[data-testid=stPlotlyChart]").forEach(tendFigure)
  }
}

function tendPage() {
  if (document.wbTended) return
  document.wbTended = true
  let asked = false
  const soon = () => {
    if (asked) return
    asked = true
    requestAnimationFrame(() => { asked = false; tendNow() })
  }
  new MutationObserver(soon).observe(document.body, {
    childList: true, subtree: true, characterData: true, attributeFilter: ["aria-valuetext", "aria-labelledby"],
  })
  // Plotly would take every touch for a drag; what it does not hear, the browser scrolls, and a tap still is a click
  document.addEventListener("touchstart", (event) => {
    const chart = chartOf(event.target)
    if (chart && !chart.classList.contains("wb-zoom")) event.stopPropagation()
  }, { capture: true, passive: true })
  soon()
}
