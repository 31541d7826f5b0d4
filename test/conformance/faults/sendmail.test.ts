import { sendmail } from "../../../integrations/sendmail/rig.ts";
import { faultMatrix } from "./matrix.ts";

faultMatrix(sendmail);
