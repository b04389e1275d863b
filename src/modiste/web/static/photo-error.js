// Why a photo has no prediction: an HTTP status, also where no server is involved, and the server's message if any.
export class PhotoError extends Error {
  constructor(status, message = "") {
    super(message);
    this.status = status;
  }
}

export const NO_SERVER = 0; // the status where no response came
