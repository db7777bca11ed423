// Draw the figures of an executed notebook, as wide as the page; their data stand in the page.
const NARROW_PX = 600

// Lines of a title: plotly breaks none, and what is too long would be cut.
function wrapped(text, width, size) {
  const most = Math.floor(width / (0.6 * size))
  const lines = [""]
  const parts = new RegExp(`.{1,${most}}`, "g")
  for (const word of (text || "").split(" ").flatMap((whole) => whole.match(parts) || [])) {
    const last = lines[lines.length - 1]
    if (last && last.length + 1 + word.length > most) lines.push(word)
    else lines[lines.length - 1] = last ? `${last} ${word}` : word
  }
  return lines
}

// A figure of a width of its own is made smaller as a whole: pictures keep their aspect.
function fit(layout, width) {
  const margin = layout.margin
  const [across, along] = [margin.l + margin.r, margin.t + margin.b]
  const scale = Math.min(1, (width - across) / (layout.width - across))
  layout.height = Math.round((layout.height - along) * scale + along)
  layout.width = Math.min(layout.width, width)
}

function fitTitle(layout, width) {
  const title = layout.title
  const size = Math.min(title.font?.size || 17, width < NARROW_PX ? 15 : 18)
  const lines = wrapped(title.text, width - 40, size)
  title.font = { ...title.font, size }
  // At the top, where no menu covers it; plotly centres lines about where one would stand.
  const pad = { l: 20, t: 14 + Math.ceil(0.65 * size * (lines.length - 1)) }
  Object.assign(title, { x: 0, y: 1, yref: "container", yanchor: "top", pad })
  title.text = lines.join("<br>")
  const more = Math.ceil(1.3 * size * (lines.length - 1))
  layout.margin.t += more
  if (layout.height) layout.height += more
  for (const menu of layout.updatemenus || []) {
    for (const { args } of menu.buttons) {
      if (args[1]["title.text"]) args[1]["title.text"] = wrapped(args[1]["title.text"], width - 40, size).join("<br>")
    }
  }
}

function fitPhone(layout, data) {
  layout.font = { ...layout.font, size: 10 }
  const below = layout.width || layout.showlegend === false ? 0 : 30
  layout.margin = { ...layout.margin, l: 10, r: 10, b: layout.margin.b + below }
  layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", yref: "container", y: 0, yanchor: "bottom" }
  // Names of pictures reach above the first row, where they would be cut.
  for (const trace of data) {
    if (trace.mode === "text") Object.assign(trace, { cliponaxis: false, textfont: { size: 9 } })
  }
}

for (const place of document.querySelectorAll(".figure")) {
  const { data, layout } = JSON.parse(place.querySelector("script").textContent)
  const width = place.clientWidth
  layout.margin = { l: 20, r: 20, t: 80, b: 50, ...layout.margin }
  if (width < NARROW_PX) fitPhone(layout, data)
  if (layout.width) fit(layout, width)
  if (layout.title) fitTitle(layout, width)
  Plotly.newPlot(place, data, { ...layout, autosize: !layout.width }, { responsive: true, displayModeBar: false })
}
