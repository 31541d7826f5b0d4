import { postfix } from "../../../integrations/postfix/rig.ts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(postfix);
