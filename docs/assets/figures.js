// Draw the figures of an executed notebook; their data stand in the page.
for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(place.querySelector("script").textContent)
  const layout = { ...figure.layout, autosize: !figure.layout.width }
  Plotly.newPlot(place, figure.data, layout, { responsive: true, displaylogo: false })
}
