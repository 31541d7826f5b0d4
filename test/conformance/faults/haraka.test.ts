import { haraka } from "../../../integrations/haraka/rig.mts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(haraka);
