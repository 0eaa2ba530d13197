//! Plots of measurements as SVG files, both axes logarithmic.

use std::path::Path;

use plotters::prelude::{
    ChartBuilder, Circle, Color, IntoDrawingArea, IntoLogRange, LineSeries, Palette, Palette99, SVGBackend,
    SeriesLabelPosition, WHITE,
};
use plotters::style::BLACK;

/// A line: its name and its points.
pub type Line = (String, Vec<(f64, f64)>);

/// A plot cannot be written.
#[derive(Debug)]
pub struct PlotError(pub String);

impl std::fmt::Display for PlotError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PlotError {}

/// Writes lines over a common axis. Points that are not above 0 have no place on logarithmic axes and are left out.
pub fn lines(file: &Path, title: &str, axes: (&str, &str), lines: &[Line]) -> Result<(), PlotError> {
    let failed = |error: String| PlotError(format!("{}: {error}", file.display()));
    let drawn: Vec<(&str, Vec<(f64, f64)>)> = lines
        .iter()
        .map(|(name, points)| {
            let positive = points.iter().copied().filter(|&(x, y)| x > 0.0 && y > 0.0);
            (name.as_str(), positive.collect())
        })
        .collect();
    let points = || drawn.iter().flat_map(|(_, points)| points.iter().copied());
    let least = points().fold((f64::MAX, f64::MAX), |(x, y), (a, b)| (x.min(a), y.min(b)));
    let most = points().fold((0.0_f64, 0.0_f64), |(x, y), (a, b)| (x.max(a), y.max(b)));
    if most.0 <= 0.0 {
        return Err(failed("nothing to draw".to_owned()));
    }
    let area = SVGBackend::new(file, (900, 560)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(80)
        .build_cartesian_2d(
            (least.0 * 0.9..most.0 * 1.1).log_scale(),
            (least.1 * 0.7..most.1 * 2.0).log_scale(),
        )
        .map_err(|error| failed(error.to_string()))?;
    chart
        .configure_mesh()
        .x_desc(axes.0)
        .y_desc(axes.1)
        .draw()
        .map_err(|error| failed(error.to_string()))?;
    for (number, (name, points)) in drawn.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))
            .map_err(|error| failed(error.to_string()))?
            .label(*name)
            .legend(move |(x, y)| Circle::new((x + 10, y), 5, colour.filled()));
        chart
            .draw_series(points.iter().map(|&point| Circle::new(point, 4, colour.filled())))
            .map_err(|error| failed(error.to_string()))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
        .map_err(|error| failed(error.to_string()))?;
    area.present().map_err(|error| failed(error.to_string()))
}
