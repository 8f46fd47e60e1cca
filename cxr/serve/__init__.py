"""The model as others run it: what a request holds, and what a served model needs beside its file."""
