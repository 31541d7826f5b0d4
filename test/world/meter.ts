export { Meter } from "../../simulation/world/meter.ts";
