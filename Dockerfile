# The program for compose.yaml. Linted, not built, where this was written: see docs/operations.md.
FROM python:3.11-slim
# A volume takes the owner of the folder that it is mounted on.
RUN useradd --create-home --uid 10001 gpt4rec && install --directory --owner gpt4rec /models
WORKDIR /app
COPY requirements/main.lock requirements/torch.lock requirements/
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/main.lock -r requirements/torch.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && rm -rf /app/*
USER gpt4rec
ENTRYPOINT []
CMD ["gpt4rec", "--help"]
