import { exim } from "../../../integrations/exim/rig.ts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(exim);
