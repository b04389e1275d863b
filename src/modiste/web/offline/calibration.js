// From a network's probabilities to a prediction: modiste.inference.tta, calibration and model in JavaScript.
import { NONE_OF_THESE } from "./labels.js";
import { enlargeCenter, mirror } from "./preprocess.js";

const FLOOR = 2 ** -126; // the smallest normal float32; probabilities are raised to it before a logarithm

const argmax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

// The views over which the probabilities of an image are averaged where it is uncertain, beside the image itself.
export function createViews(image, crop) {
  if (crop >= 1) return [mirror(image)];
  const center = enlargeCenter(image, crop);
  return [mirror(image), center, mirror(center)];
}

// Returns the mean of some lists of probabilities.
export const average = (lists) => lists[0].map((_, i) => lists.reduce((sum, list) => sum + list[i], 0) / lists.length);

// Applies the temperature to probabilities.
export function calibrate(probabilities, temperature) {
  if (temperature === 1) return probabilities;
  const logits = probabilities.map((value) => Math.log(Math.max(value, FLOOR)) / temperature);
  const highest = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}

// Returns label, probability and all classes, best first, of calibrated probabilities, for a model of about.json. An
// outlier shows none of the classes.
export function toPrediction(probabilities, { class_names: names, threshold, label_groups: groups, outliers }, isOutlier) {
  const shown = isOutlier ? probabilities.map((value) => value * (1 - outliers.coverage)) : probabilities;
  const top = names.map((label, i) => ({ label, probability: shown[i] })).sort((a, b) => b.probability - a.probability);
  const best = names[argmax(probabilities)];
  const group = groups.find((each) => each.includes(best)) ?? [best];
  const confidence = group.reduce((sum, label) => sum + probabilities[names.indexOf(label)], 0);
  if ((confidence >= threshold || best === NONE_OF_THESE) && !isOutlier) return { ...top[0], top };
  return { label: NONE_OF_THESE, probability: isOutlier ? outliers.coverage : 1 - confidence, top };
}
