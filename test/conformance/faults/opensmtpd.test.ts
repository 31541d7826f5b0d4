import { opensmtpd } from "../../../integrations/opensmtpd/rig.ts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(opensmtpd);
