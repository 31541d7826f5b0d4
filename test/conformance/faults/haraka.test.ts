import { haraka } from "../../../integrations/haraka/rig.ts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(haraka);
